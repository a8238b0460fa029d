//go:build !wasip1

package stepwell

// Stand-ins for the host, so that a task can be tested natively.

func hostContext() TaskContext {
	return TaskContext{
		ExecutionARN:   "arn:aws:states:us-east-1:123456789012:execution:native:test",
		StateName:      "Native",
		IdempotencyKey: "native",
	}
}

func hostRemainingMilliseconds() uint64 { return 60_000 }

func hostBeat() {}
