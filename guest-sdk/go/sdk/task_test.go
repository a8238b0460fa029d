package stepwell

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

type order struct {
	ID string `json:"id"`
}

// call declares a task, calls it once and returns its result or "name: cause".
func call[In, Out any](input string, function func(In) (Out, error)) string {
	declared = nil
	Task(function)
	result, failure := run([]byte(input))
	if failure != nil {
		return failure.Error()
	}
	return string(result)
}

func expect(t *testing.T, found, wanted string) {
	t.Helper()
	if found != wanted {
		t.Errorf("found %q, wanted %q", found, wanted)
	}
}

func TestJSONPassesThroughTheFunction(t *testing.T) {
	same := func(input order) (order, error) { return input, nil }
	expect(t, call(`{"id": "<7>", "more": 1}`, same), `{"id":"<7>"}`)
	raw := func(input json.RawMessage) (json.RawMessage, error) { return input, nil }
	expect(t, call(`{"n": 12345678901234567890.0}`, raw), `{"n":12345678901234567890.0}`)
	expect(t, call(`null`, raw), `null`)
}

func TestInputThatDoesNotFitIsNamed(t *testing.T) {
	never := func(input order) (any, error) { panic("called") }
	expect(t, call(`{"id": 7}`, never), "InvalidInput: json: cannot unmarshal number into Go struct field order.id of type string")
	expect(t, call(`null`, never), "InvalidInput: null does not fit type stepwell.order")
	expect(t, call(`{} x`, never), "InvalidInput: invalid character 'x' after top-level value")
}

func TestAFailureKeepsItsName(t *testing.T) {
	fails := func(err error) func(any) (any, error) { return func(any) (any, error) { return nil, err } }
	expect(t, call(`{}`, fails(Fail("CardDeclined", "%d cents", 5))), "CardDeclined: 5 cents")
	expect(t, call(`{}`, fails(fmt.Errorf("charging: %w", Fail("CardDeclined", "no")))), "CardDeclined: no")
	expect(t, call(`{}`, fails(errors.New("bad \xff byte"))), "TaskFailed: bad \uFFFD byte")
}

func TestAResultThatIsNotJSONIsNamed(t *testing.T) {
	channel := func(any) (chan int, error) { return nil, nil }
	expect(t, call(`{}`, channel), "TaskFailed: json: unsupported type: chan int")
}

func TestAModuleWithoutATaskSaysSo(t *testing.T) {
	declared = nil
	_, failure := run([]byte(`{}`))
	expect(t, failure.Error(), "TaskFailed: the module declares no task: call stepwell.Task from an init function")
}
