//! The files of a call: its scratch directory and the host's directories that it may read.
