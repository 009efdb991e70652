//! NVIDIA's libraries from packages for Python, into the target folder: what tests load without a GPU.

use std::path::PathBuf;
use std::process::Command;

/// The folder `name` with what `package` holds, or why the package could not be had.
pub fn install(name: &str, package: &str) -> Result<PathBuf, String> {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if root.exists() {
        return Ok(root);
    }
    let draft = root.with_extension(format!("draft{}", std::process::id()));
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&draft)
        .arg(package)
        .output()
        .map_err(|error| format!("python3 does not run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    // Whoever is first wins; the other's copy is as good.
    if std::fs::rename(&draft, &root).is_err() {
        let _ = std::fs::remove_dir_all(&draft);
    }
    Ok(root)
}

/// The folder of NVIDIA's run-time compiler. Newer ones emit code that a CUDA 13.0 driver cannot load.
#[allow(dead_code, reason = "not every test that has this module compiles")]
pub fn nvrtc() -> Result<PathBuf, String> {
    let root = install("nvrtc-13.0.88", "nvidia-cuda-nvrtc==13.0.88")?;
    Ok(root.join("nvidia/cu13/lib"))
}
