//go:build wasip1

package stepwell

import (
	"structs"
	"unsafe"
)

// The canonical ABI of wit/task.wit, written by hand: four imports and one export. Text passes as address and length,
// records that do not fit into one value pass through memory. The layouts below are those of the component model's
// canonical ABI; a test of the guests on a real server keeps them right.

// textArea is a string that the host wrote: where it begins and how many bytes it has.
type textArea struct {
	_       structs.HostLayout
	address uint32
	bytes   uint32
}

// contextArea is the record task-context as the host writes it.
type contextArea struct {
	_              structs.HostLayout
	executionARN   textArea
	stateName      textArea
	attempt        uint32
	idempotencyKey textArea
	// The lowest byte says whether there is a token; the other three are padding.
	hasTaskToken uint32
	taskToken    textArea
}

// resultArea is result<string, task-error> as the host reads it.
type resultArea struct {
	_ structs.HostLayout
	// 0: first is the result. 1: first is the error's name and second its cause.
	isError uint32
	first   textArea
	second  textArea
}

//go:wasmimport stepwell:task/context@0.1.0 current
func importContext(area *contextArea)

//go:wasmimport stepwell:task/context@0.1.0 remaining-milliseconds
func hostRemainingMilliseconds() uint64

//go:wasmimport stepwell:task/heartbeat@0.1.0 beat
func hostBeat()

func hostContext() TaskContext {
	var area contextArea
	importContext(&area)
	context := TaskContext{
		ExecutionARN:   string(area.executionARN.content()),
		StateName:      string(area.stateName.content()),
		Attempt:        area.attempt,
		IdempotencyKey: string(area.idempotencyKey.content()),
	}
	if area.hasTaskToken&0xff != 0 {
		context.TaskToken = string(area.taskToken.content())
	}
	return context
}

// result is what the last call returned, and resultText the memory it points to: the host reads both after export
// `run` has returned, so the garbage collector must keep them.
var (
	result     resultArea
	resultText [2][]byte
)

//go:wasmexport stepwell:task/handler@0.1.0#run
func exportRun(address, bytes uint32) *resultArea {
	output, failure := run(textArea{address: address, bytes: bytes}.content())
	if failure == nil {
		resultText = [2][]byte{output}
		result = resultArea{first: areaOf(output)}
	} else {
		resultText = [2][]byte{[]byte(failure.Name), []byte(failure.Cause)}
		result = resultArea{isError: 1, first: areaOf(resultText[0]), second: areaOf(resultText[1])}
	}
	return &result
}

// content returns the bytes at the area. They lie in memory that export `cabi_realloc` gave out.
func (area textArea) content() []byte {
	if area.bytes == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointerTo(uintptr(area.address))), area.bytes)
}

// areaOf returns where the bytes lie. Go's collector moves nothing on the heap.
func areaOf(text []byte) textArea {
	return textArea{address: uint32(uintptr(unsafe.Pointer(unsafe.SliceData(text)))), bytes: uint32(len(text))}
}
