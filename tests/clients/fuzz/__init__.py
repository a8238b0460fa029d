"""A fuzzer of the protocol: what arrives at the server's port, from noise to requests that are nearly right."""
