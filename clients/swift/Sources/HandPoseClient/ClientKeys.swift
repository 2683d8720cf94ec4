import Foundation

/// The keys of a client that reaches its daemon over TCP, in Z85, 40 characters each; PROTOCOL.md, "Over TCP".
public struct ClientKeys: Sendable, Equatable, CustomStringConvertible {
    /// The daemon's; nobody else can pass for it.
    public let daemonPublic: String
    /// The client's; the daemon lets it in by this one.
    public let `public`: String
    /// The client's, for nobody else to see.
    public let secret: String

    /// Keys.
    ///
    /// - Throws: `badKeys` for any that has not 40 characters; says which.
    public init(daemonPublic: String, public: String, secret: String) throws(HandPoseError) {
        try self.init(["daemon_public": daemonPublic, "public": `public`, "secret": secret], named: "keys")
    }

    private init(_ found: [String: String], named place: String) throws(HandPoseError) {
        func key(_ name: String) throws(HandPoseError) -> String {
            let key = found[name, default: ""]
            guard key.utf8.count == Self.characters else {
                throw HandPoseError(
                    .badKeys, "\(place): \(name): expected \(Self.characters) characters, got \(key.utf8.count)")
            }
            return key
        }
        (self.daemonPublic, self.public, self.secret) = (try key("daemon_public"), try key("public"), try key("secret"))
    }

    /// Reads a file that `wilor-sidecar keys add` made.
    ///
    /// - Throws: `badKeys` when it cannot be read, is open to other users, or is no such file; says which.
    public init(file path: String) throws(HandPoseError) {
        var found = stat()
        guard stat(path, &found) == 0, let data = FileManager.default.contents(atPath: path),
            let text = String(data: data, encoding: .utf8)
        else {
            throw HandPoseError(.badKeys, "keys: \(path) cannot be read")
        }
        guard found.st_mode & 0o077 == 0 else {
            let mode = String(found.st_mode & 0o777, radix: 8)
            throw HandPoseError(.badKeys, "keys: \(path) is open to others (mode \(mode)); chmod 600 it")
        }
        try self.init(Self.values(in: text), named: "keys: \(path)")
    }

    /// Without the secret: a log is no place for it.
    public var description: String { "ClientKeys(public: \(`public`))" }

    private static let characters = 40

    /// The texts after `name = `, each on a line of its own as the command writes them. Z85 has neither quotation marks
    /// nor backslashes.
    private static func values(in text: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2, parts[1].count >= 2, parts[1].hasPrefix("\""), parts[1].hasSuffix("\"") {
                values[parts[0]] = String(parts[1].dropFirst().dropLast())
            }
        }
        return values
    }
}
