module conformance

go 1.24

require stepwell v0.0.0

replace stepwell => ../sdk
