// The conformance guest fail: fails with the name and cause that its input asks for.
package main

import "stepwell"

type wanted struct {
	Error string `json:"error"`
	Cause string `json:"cause"`
}

func init() { stepwell.Task(fail) }

func main() {}

func fail(input wanted) (any, error) {
	return nil, stepwell.Fail(input.Error, "%s", input.Cause)
}
