import Foundation
import TestSupport

/// A Python script of these tests as a child process that one can talk with, a line at a time.
final class PythonProcess {
    let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ script: String, _ arguments: [String] = []) throws {
        process.executableURL = Repository.python
        process.arguments = [Self.script(script)] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// The next line that it prints; empty when it has ended.
    func line() -> String { output.fileHandleForReading.readTextLine() }

    func write(_ text: String) {
        input.fileHandleForWriting.write(Data(text.utf8))
    }

    /// Ends its standard input, by which it ends, and waits.
    func finish() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// What the Python peer prints for one command, decoded from JSON.
    static func peer<Answer: Decodable>(
        _ type: Answer.Type, _ arguments: [String], input: String = ""
    ) throws -> Answer {
        let peer = try PythonProcess("peer.py", arguments)
        peer.write(input)
        try peer.input.fileHandleForWriting.close()
        let data = peer.output.fileHandleForReading.readDataToEndOfFile()
        peer.process.waitUntilExit()
        return try JSONDecoder().decode(type, from: data)
    }

    private static func script(_ name: String) -> String {
        Repository.root.appendingPathComponent("clients/swift/Tests/HandPoseClientTests/Python/\(name)").path
    }
}

/// A folder that is there while this value is; only its owner may enter it.
final class TemporaryFolder {
    let path: String

    init() throws {
        // Short, because a socket's path has to be.
        path = "/tmp/swift-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

func bytes(of file: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
}
