import Foundation

/// A program, of this package by name or any other by path, as a child process.
final class Tool: @unchecked Sendable {
    // Sendable: `kill` may be called from any thread, as `Process` may be asked; all else is used by one test alone.
    private let process = Process()
    private let output = Pipe()

    convenience init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        try self.init(Self.products.appendingPathComponent(name), arguments, environment: environment)
    }

    init(_ program: URL, _ arguments: [String], environment: [String: String] = [:]) throws {
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Who waits for its next line shall not wait for ever.
        DispatchQueue.global().asyncAfter(deadline: .now() + 60) { [weak self] in self?.kill() }
    }

    /// The next line that it prints; empty when it has ended.
    func line() -> String { output.fileHandleForReading.readTextLine() }

    /// Waits for its end.
    ///
    /// - Returns: its exit status.
    func end() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    func kill() {
        // Not SIGTERM: a child inherits the signals that its parent's thread blocks.
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// The folder that the tests' own bundle was built into.
    static let products: URL = {
        #if canImport(Darwin)
            return Bundle(for: Tool.self).bundleURL.deletingLastPathComponent()
        #else
            return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        #endif
    }()
}

extension FileHandle {
    /// Bytes up to the end of the line, or of the file.
    func readTextLine() -> String {
        var bytes: [UInt8] = []
        while let byte = try? read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
