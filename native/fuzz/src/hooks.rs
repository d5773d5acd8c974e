//! What instrumented C code calls, and libFuzzer does not have: so that coverage of the C codecs
//! guides it too, whichever compiler made them.
#![allow(unsafe_code)] // symbols with the names that compilers expect

/// How often code ran, by the last 16 bits of its address. The section is libFuzzer's.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static mut COUNTERS: [u8; 1 << 16] = [0; 1 << 16];

/// Count the place this is called from. The linker puts it in the place of libFuzzer's, which only
/// warns (`--wrap`).
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___sanitizer_cov_trace_pc() {
    std::arch::naked_asm!(
        "mov rax, [rsp]",
        "movzx eax, ax",
        "lea rcx, [rip + {counters}]",
        "inc byte ptr [rcx + rax]",
        "ret",
        counters = sym COUNTERS,
    )
}

/// Elsewhere the C code guides through comparisons alone.
#[cfg(not(target_arch = "x86_64"))]
#[unsafe(no_mangle)]
extern "C" fn __wrap___sanitizer_cov_trace_pc() {}

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_cmpf(_: f32, _: f32) {}

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_cmpd(_: f64, _: f64) {}
