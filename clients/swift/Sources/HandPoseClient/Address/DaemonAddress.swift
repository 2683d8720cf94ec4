import Foundation

/// What can be connected to: `ipc://PATH`, or `tcp://HOST:PORT` with the daemon's events one port further.
enum DaemonAddress {
    /// Throws for anything else, and for a path that is too long for a socket.
    static func check(
        _ address: String, platform: RunDirectory.Platform = .current
    ) throws(HandPoseError) {
        if let path = place(address, "ipc"), !path.isEmpty {
            let excess = path.utf8.count - platform.maxSocketPathBytes
            guard excess <= 0 else {
                throw HandPoseError(
                    .badAddress, "address: expected a path that is \(excess) bytes shorter, got \"\(address)\"")
            }
        } else if hostAndPort(address) == nil {
            throw HandPoseError(
                .badAddress,
                "address: expected ipc://PATH or tcp://HOST:PORT, got \"\(address)\"; a directory is given as runDirectory"
            )
        }
    }

    static func isTCP(_ address: String) -> Bool { place(address, "tcp") != nil }

    /// Where a daemon publishes that answers at this address; nil when only it can say.
    static func events(besideRequests address: String) -> String? {
        hostAndPort(address).map { "tcp://\($0.host):\($0.port + 1)" }
    }

    private static func hostAndPort(_ address: String) -> (host: Substring, port: Int)? {
        guard let place = place(address, "tcp"), let colon = place.lastIndex(of: ":") else { return nil }
        let (host, digits) = (place[..<colon], place[place.index(after: colon)...])
        guard !host.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let port = Int(digits), 1...65535 ~= port
        else { return nil }
        return (host, port)
    }

    private static func place(_ address: String, _ scheme: String) -> Substring? {
        address.hasPrefix("\(scheme)://") ? address.dropFirst(scheme.utf8.count + 3) : nil
    }
}
