import Foundation

/// The checkout that these tests are part of.
public enum Repository {
    /// Its top folder.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../..").standardizedFileURL

    /// Python with the daemon and its client, once `make setup` has run.
    public static let python = root.appendingPathComponent(".venv/bin/python")

    /// Whether there is a daemon to test against.
    public static var hasDaemon: Bool { FileManager.default.isExecutableFile(atPath: python.path) }
}
