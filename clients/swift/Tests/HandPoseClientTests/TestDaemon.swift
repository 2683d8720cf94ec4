import Foundation
import HandPoseClient
import TestSupport

/// The real daemon with its embedded model, as a child process. It ends with the tests: its standard input ends then.
struct TestDaemon: @unchecked Sendable {
    // Sendable: `process` is used by the suite that owns this daemon alone, whose tests run one after the other.
    private let process: PythonProcess
    let runDirectory: String

    init() throws {
        process = try PythonProcess("daemon.py")
        runDirectory = process.line()
        guard !runDirectory.isEmpty else { throw StartError() }
    }

    /// Does one of `daemon.py`'s commands, and waits until it is done.
    func tell(_ command: String) {
        process.write("\(command)\n")
        precondition(process.line() == "done", "\(command) failed")
    }

    func configuration(source: String? = nil, timeout: Duration = .seconds(20)) -> HandPoseConfiguration {
        HandPoseConfiguration(runDirectory: runDirectory, source: source, timeout: timeout)
    }

    /// A daemon for all tests that do not harm it.
    static let shared = Result { try TestDaemon() }

    private struct StartError: Error {}
}

/// Asks until a condition holds.
func eventually(
    _ what: String, within limit: Duration = .seconds(30), _ holds: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !holds() {
        guard ContinuousClock.now < deadline else { throw NeverError(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

struct NeverError: Error {
    let what: String
}
