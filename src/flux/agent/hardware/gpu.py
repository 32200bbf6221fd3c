"""GPUs: model and memory as the driver's management library (NVML) names them, and speed by a short kernel.

A machine without an NVIDIA driver simply has none. The kernel is PTX that the driver compiles itself, so that no CUDA
toolkit is needed: every thread does a long chain of single-precision multiply-adds.
"""

import ctypes
import time
from contextlib import suppress
from dataclasses import dataclass

import pynvml

MIB = 1024 * 1024
_LOOPS = 4096
_ADDS_PER_LOOP = 8
_THREADS = 256
_BLOCKS = 4096
_PTX = (
    ".version 6.0\n.target sm_50\n.address_size 64\n"
    ".visible .entry work(.param .u64 out)\n{\n"
    " .reg .pred %p; .reg .b32 %r<6>; .reg .b64 %d<4>; .reg .f32 %f<11>;\n"
    " ld.param.u64 %d1, [out]; cvta.to.global.u64 %d1, %d1;\n"
    " mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.u32 %r4, %r1, %r2, %r3;\n"
    " cvt.rn.f32.u32 %f0, %r4; mov.f32 %f9, 0f3F800001; mov.f32 %f10, 0f33800000;\n"
    + "".join(f" add.f32 %f{number}, %f0, 0f{0x3F800000 + (number << 16):08X};\n" for number in range(1, 9))
    + " mov.u32 %r5, 0;\nagain:\n"
    + "".join(f" fma.rn.f32 %f{number}, %f{number}, %f9, %f10;\n" for number in range(1, 9))
    + f" add.u32 %r5, %r5, 1; setp.lt.u32 %p, %r5, {_LOOPS}; @%p bra again;\n"
    + "".join(f" add.f32 %f1, %f1, %f{number};\n" for number in range(2, 9))
    + " mul.wide.u32 %d2, %r4, 4; add.s64 %d3, %d1, %d2; st.global.f32 [%d3], %f1; ret;\n}\n"
)


@dataclass(frozen=True, slots=True)
class GpuResult:
    """One GPU."""

    model: str
    memory_mib: int
    gflops: float | None
    """Single precision, measured; None where CUDA does not run."""


class CudaFailed(Exception):
    """A call of the CUDA driver did not succeed."""


def measure_gpus() -> list[GpuResult]:
    """All NVIDIA GPUs; an empty list without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [
            GpuResult(
                str(pynvml.nvmlDeviceGetName(handle)),
                int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // MIB,
                _compute(pynvml.nvmlDeviceGetPciInfo(handle).busId),
            )
            for handle in handles
        ]
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _compute(bus_id: str | bytes) -> float | None:
    """`bus_id` says which GPU it is: CUDA numbers them in another order than NVML."""
    place = bus_id.encode() if isinstance(bus_id, str) else bus_id
    try:
        return _run_kernel(ctypes.CDLL("libcuda.so.1"), place)
    except (OSError, AttributeError, CudaFailed):
        return None


def _run_kernel(cuda: ctypes.CDLL, bus_id: bytes) -> float:
    """Billions of operations a second; the first launch only warms up. Raises CudaFailed."""
    device, context, module, function = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    output = ctypes.c_uint64()
    _check(cuda.cuInit(0))
    _check(cuda.cuDeviceGetByPCIBusId(ctypes.byref(device), bus_id))
    _check(cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device))
    try:
        _check(cuda.cuModuleLoadData(ctypes.byref(module), _PTX.encode() + b"\0"))
        _check(cuda.cuModuleGetFunction(ctypes.byref(function), module, b"work"))
        _check(cuda.cuMemAlloc_v2(ctypes.byref(output), ctypes.c_size_t(4 * _THREADS * _BLOCKS)))
        arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(output), ctypes.c_void_p))
        seconds = 0.0
        for _ in range(2):
            begun = time.perf_counter()
            _check(cuda.cuLaunchKernel(function, _BLOCKS, 1, 1, _THREADS, 1, 1, 0, None, arguments, None))
            _check(cuda.cuCtxSynchronize())
            seconds = time.perf_counter() - begun
    finally:
        cuda.cuCtxDestroy_v2(context)
    return 2 * _LOOPS * _ADDS_PER_LOOP * _THREADS * _BLOCKS / seconds / 1e9


def _check(result: int) -> None:
    if result != 0:
        raise CudaFailed(f"the CUDA driver answered {result}")
