//go:build wasip1

package stepwell

import "unsafe"

// The host asks for memory through cabi_realloc: for the input, for the strings of the context, and, when the module
// is turned into a component, for the working memory of the preview 1 adapter.
//
// It must not use Go's own allocator. The adapter asks while the runtime is still starting. Later a garbage
// collection could begin, which reads the clock, and a component may call no import inside cabi_realloc. So memory is
// taken from the runtime's `sbrk` instead, which keeps the runtime's own record of the end of memory right, and is
// never given back: an instance serves one call.
//
// `sbrk` is private to the runtime; `-ldflags=-checklinkname=0` lets a package name it all the same.

//go:linkname sbrk runtime.sbrk
func sbrk(bytes uintptr) unsafe.Pointer

// pageBytes is what sbrk rounds up to: one page of WebAssembly memory.
const pageBytes = 64 << 10

// freeBegin and freeEnd bound what is left of the last block that sbrk gave.
var freeBegin, freeEnd uintptr

//go:wasmexport cabi_realloc
func cabiRealloc(oldAddress, oldBytes, alignment, newBytes uint32) uint32 {
	begin := alignUp(freeBegin, uintptr(alignment))
	if begin+uintptr(newBytes) > freeEnd {
		block := alignUp(uintptr(newBytes), pageBytes)
		begin = uintptr(sbrk(block))
		if begin == 0 {
			panic("no memory left for what the host passes in")
		}
		freeEnd = begin + block
	}
	freeBegin = begin + uintptr(newBytes)
	if kept := min(oldBytes, newBytes); kept > 0 {
		copy(textArea{address: uint32(begin), bytes: newBytes}.content(), textArea{address: oldAddress, bytes: kept}.content())
	}
	return uint32(begin)
}

// alignUp rounds up to a multiple of alignment, which is a power of two.
func alignUp(value, alignment uintptr) uintptr { return (value + alignment - 1) &^ (alignment - 1) }

// pointerTo makes a pointer of an address outside of Go's heap. The detour tells `go vet` that this is meant.
func pointerTo(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }
