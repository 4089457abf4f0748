//! Valgrind's memcheck as a judge of constant time (the idea of Adam Langley's ctgrind): secret bytes are declared undefined, and
//! memcheck reports each branch and each address that depends on them. Its requests are a sequence of instructions that does
//! nothing on a processor (valgrind.h, "client requests"); elsewhere than on x86-64 and arm64 nothing is declared.
#![allow(
    unsafe_code,
    reason = "the requests are instructions that no safe code can give; tests only"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::process::{Command, Output};
use subtle::Choice;

/// Runs a test of this binary under valgrind: it must pass with nothing reported.
pub(crate) fn check(test: &str) {
    let output = watch(test);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{test}\n{told}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{test} did not run"
    );
}

pub(crate) fn watch(test: &str) -> Output {
    let binary = std::env::current_exe().unwrap();
    Command::new("valgrind")
        .arg(format!("--error-exitcode={REPORTED}"))
        .args(["--quiet", "--leak-check=no", "--"])
        .arg(binary)
        .args(["--exact", test, "--test-threads=1"])
        .output()
        .expect("this test needs valgrind: apt-get install valgrind")
}

/// What `watch` ends with where a branch or an address depends on a secret.
pub(crate) const REPORTED: i32 = 77;

/// Declares the bytes of a value secret: memcheck holds them, and all that is computed from them, undefined.
#[inline(never)]
pub(crate) fn poison<T: ?Sized>(value: &mut T) {
    request(MAKE_MEMORY_UNDEFINED, address(value), size_of_val(value));
}

/// Declares the bytes of a value public.
#[inline(never)]
pub(crate) fn publish<T: ?Sized>(value: &mut T) {
    request(MAKE_MEMORY_DEFINED, address(value), size_of_val(value));
}

/// The same bit, public.
pub(crate) fn defined(bit: Choice) -> Choice {
    let mut byte = bit.unwrap_u8();
    publish(&mut byte);
    Choice::from(byte)
}

/// Exposed, so that the compiler takes the bytes for changed and reads them again.
fn address<T: ?Sized>(value: &mut T) -> usize {
    std::ptr::from_mut(value).cast::<u8>().expose_provenance()
}

fn request(code: usize, first: usize, second: usize) {
    let arguments = [code, first, second, 0, 0, 0];
    // SAFETY: without valgrind these instructions rotate a register by its width and move another onto itself. With it, they
    // read `arguments` and write the answer; memory stays as it is, only what memcheck knows of it changes.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") 0usize => _, inout("rdi") 0usize => _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61", "orr x10, x10, x10",
            in("x4") arguments.as_ptr(), inout("x3") 0usize => _, inout("x12") 0usize => _,
        );
    }
}

/// The tool's letters, then the place in memcheck.h.
const MAKE_MEMORY_UNDEFINED: usize = ((b'M' as usize) << 24) + ((b'C' as usize) << 16) + 1;
const MAKE_MEMORY_DEFINED: usize = MAKE_MEMORY_UNDEFINED + 1;
