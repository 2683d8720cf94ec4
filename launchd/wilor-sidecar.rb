# A Homebrew formula, for a tap. `make dist` fills in address and digest of the source archive that it builds, and puts the
# result beside it; see launchd/README.md. The package is not on PyPI: who publishes the archive changes the address.
class WilorSidecar < Formula
  desc "Local daemon that answers hand crops with 3-D hand poses"
  homepage "https://github.com/rolpotamias/WiLoR"
  url "@{address}"
  sha256 "@{sha256}"
  license "MIT"

  depends_on arch: :arm64
  depends_on macos: :sonoma # with which MLX's wheels begin
  depends_on :macos # the line above allows Linux, too
  depends_on "python@3.13"

  def install
    # MLX and NumPy as their authors build them: compiled anew they would be slower, or without Metal.
    system "python3.13", "-m", "venv", libexec
    system libexec/"bin/python", "-m", "pip", "install", "#{buildpath}[daemon,camera]"
    bin.install_symlink libexec/"bin/wilor-sidecar"
  end

  # The same as in org.wilor-sidecar.daemon.plist, as far as Homebrew has words for it. Settings belong into the settings
  # file: an upgrade writes this anew.
  service do
    run [opt_bin/"wilor-sidecar", "serve", "--supervisor=launchd"]
    keep_alive successful_exit: false
    process_type :interactive
    working_dir Dir.home
    log_path var/"log/wilor-sidecar.log"
    error_log_path var/"log/wilor-sidecar.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/wilor-sidecar --version")
    assert_match "model = \"embedded\"", shell_output("#{bin}/wilor-sidecar config")
  end
end
