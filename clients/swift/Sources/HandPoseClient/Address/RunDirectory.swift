/// Where the daemon is found when nobody says: PROTOCOL.md, "The run directory". The same rule as the daemon's own.
///
/// Pure: it looks at nothing but its arguments, and makes nothing.
public enum RunDirectory {
    /// The systems that the rule tells apart.
    public enum Platform: Sendable {
        /// macOS.
        case mac
        /// Linux, and what else there is.
        case linux

        /// This one.
        public static var current: Platform {
            #if canImport(Darwin)
                .mac
            #else
                .linux
            #endif
        }

        /// The longest path of a socket in bytes, without the closing NUL.
        var maxSocketPathBytes: Int {
            switch self {
            case .mac: 103
            case .linux: 107
            }
        }
    }

    /// The private directory that holds the daemon's sockets.
    ///
    /// - Parameters:
    ///   - environment: variables of the process.
    ///   - platform: the system.
    ///   - home: path of the user's home directory.
    ///   - userID: the user's number.
    /// - Returns: `$WILOR_SIDECAR_RUN`; else `$XDG_RUNTIME_DIR/wilor-sidecar` on Linux and
    ///   `~/Library/Caches/wilor-sidecar/run` on a Mac; else, where there is none or a socket's path in it would be too
    ///   long, `/tmp/wilor-sidecar-UID`.
    public static func path(
        environment: [String: String], platform: Platform, home: String, userID: UInt32
    ) -> String {
        if let chosen = environment["WILOR_SIDECAR_RUN"], !chosen.isEmpty {
            return trimmed(chosen)
        }
        if let usual = usualPath(environment, platform, home),
            requestsPath(usual).utf8.count <= platform.maxSocketPathBytes
        {
            return usual
        }
        return "/tmp/wilor-sidecar-\(userID)"
    }

    /// ZeroMQ's address of the daemon's requests in a run directory.
    public static func requestsAddress(in directory: String) -> String { "ipc://\(requestsPath(directory))" }

    /// ZeroMQ's address of the daemon's events in a run directory.
    public static func eventsAddress(in directory: String) -> String { "ipc://\(join(directory, "events"))" }

    private static func requestsPath(_ directory: String) -> String { join(directory, "requests") }

    private static func usualPath(_ environment: [String: String], _ platform: Platform, _ home: String) -> String? {
        switch platform {
        case .mac:
            return join(trimmed(home), "Library/Caches/wilor-sidecar/run")
        case .linux:
            guard let runtime = environment["XDG_RUNTIME_DIR"], !runtime.isEmpty else { return nil }
            return join(trimmed(runtime), "wilor-sidecar")
        }
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    private static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}
