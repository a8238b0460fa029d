package stepwell

import "fmt"

// The names that this package raises by itself.
const (
	// TaskFailed is the name of an error that has none.
	TaskFailed = "TaskFailed"
	// InvalidInput is the name of the failure of a task whose input does not fit.
	InvalidInput = "InvalidInput"
)

// TaskError is a failure by name: the ASL's Error and Cause.
type TaskError struct {
	// Name is what ErrorEquals in a Retrier or Catcher matches, for instance CardDeclined.
	Name string
	// Cause says for people what happened.
	Cause string
}

// Fail builds a failure from its name and a cause that is formatted as by fmt.Sprintf.
func Fail(name, format string, arguments ...any) error {
	return &TaskError{Name: name, Cause: fmt.Sprintf(format, arguments...)}
}

// Error returns name and cause.
func (failure *TaskError) Error() string { return failure.Name + ": " + failure.Cause }
