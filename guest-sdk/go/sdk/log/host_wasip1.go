//go:build wasip1

package log

//go:wasmimport stepwell:task/log@0.1.0 write
func hostWrite(level uint32, message string)
