module {{name}}

go 1.24

require stepwell v0.0.0

replace stepwell => ./stepwell-sdk
