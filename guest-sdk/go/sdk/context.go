package stepwell

import "time"

// TaskContext says which execution, state and attempt a call belongs to.
type TaskContext struct {
	// ExecutionARN is the ARN of the execution.
	ExecutionARN string
	// StateName is the name of the Task state in the definition.
	StateName string
	// Attempt is 0 for the first attempt, 1 for the first retry, and so on.
	Attempt uint32
	// IdempotencyKey is the same when this attempt is run again after a crash of the host, and different for every
	// other attempt. Hand it to outside systems, so that they do the work once.
	IdempotencyKey string
	// TaskToken is set when the state waits for a callback (.waitForTaskToken), and empty otherwise.
	TaskToken string
}

// Context returns the context of this call. In a native build: a fixed one, first attempt, no token.
func Context() TaskContext { return hostContext() }

// Remaining returns how long this call may still run before the host stops it. In a native build: a minute.
func Remaining() time.Duration { return time.Duration(hostRemainingMilliseconds()) * time.Millisecond }

// Heartbeat tells the host that the task is alive, for states with HeartbeatSeconds. In a native build: does nothing.
func Heartbeat() { hostBeat() }
