// Package stepwell declares a Stepwell task in Go: one function, JSON in and JSON out.
//
// It depends on the standard library only. Built for any other target than wasip1 it has stand-ins for the host, so
// that `go test` runs a task natively.
package stepwell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// declared is the module's task, from JSON text to JSON text.
var declared func(input []byte) ([]byte, error)

// Task declares the module's task. Call it once, from an init function of package main.
//
// The input is decoded into In and the result is encoded from Out, both with encoding/json. Take and return
// json.RawMessage for JSON of any shape. An error that Fail made fails the task by its name; any other error fails it
// as TaskFailed with the error's text. Input that does not fit In fails it as InvalidInput, and the function is not
// called.
func Task[In, Out any](function func(In) (Out, error)) {
	if declared != nil {
		panic("stepwell.Task was called twice: a module has one task")
	}
	declared = func(text []byte) ([]byte, error) { return runJSON(text, function) }
}

// runJSON decodes the input, calls the function and encodes its result.
func runJSON[In, Out any](text []byte, function func(In) (Out, error)) ([]byte, error) {
	var input In
	if string(bytes.TrimSpace(text)) == "null" && !takesNull(&input) {
		return nil, &TaskError{Name: InvalidInput, Cause: fmt.Sprintf("null does not fit type %T", input)}
	}
	if err := json.Unmarshal(text, &input); err != nil {
		return nil, &TaskError{Name: InvalidInput, Cause: err.Error()}
	}
	output, err := function(input)
	if err != nil {
		return nil, err
	}
	var result bytes.Buffer
	encoder := json.NewEncoder(&result)
	// The result is no part of a web page: "<" stays readable.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(output); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(result.Bytes(), []byte("\n")), nil
}

// takesNull says whether the type that the pointer points to has a value for null. For any other type encoding/json
// would silently leave the zero value.
func takesNull(pointer any) bool {
	if _, decodesItself := pointer.(json.Unmarshaler); decodesItself {
		return true
	}
	switch reflect.TypeOf(pointer).Elem().Kind() {
	case reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return true
	default:
		return false
	}
}

// run is one call of the declared task. It returns the result or the failure, never both.
func run(input []byte) ([]byte, *TaskError) {
	if declared == nil {
		return nil, &TaskError{Name: TaskFailed, Cause: "the module declares no task: call stepwell.Task from an init function"}
	}
	result, err := declared(input)
	if err == nil {
		return result, nil
	}
	failure := &TaskError{Name: TaskFailed, Cause: err.Error()}
	var named *TaskError
	if errors.As(err, &named) {
		failure = &TaskError{Name: named.Name, Cause: named.Cause}
	}
	// The host takes UTF-8 only.
	failure.Name = strings.ToValidUTF8(failure.Name, "\uFFFD")
	failure.Cause = strings.ToValidUTF8(failure.Cause, "\uFFFD")
	return nil, failure
}
