import Foundation
import HandPoseClient
import TestSupport
import Testing

@testable import HandPoseClient

/// Daemon and client find each other by the rule of PROTOCOL.md, "The run directory".
@Suite(.timeLimit(.minutes(10))) struct AddressTests {
    struct Case: Codable, CustomTestStringConvertible {
        var environment: [String: String] = [:]
        var platform = "linux"
        var home = "/home/ada"
        var wanted = "/tmp/wilor-sidecar-501"

        var testDescription: String { "\(platform) \(home.prefix(40)) \(environment.keys.sorted())" }

        var found: String {
            RunDirectory.path(
                environment: environment, platform: platform == "darwin" ? .mac : .linux, home: home, userID: 501)
        }
    }

    private static let library = "/Library/Caches/wilor-sidecar/run"
    /// So long that a socket's path in it just fits.
    private static let longestHome = "/" + String(repeating: "u", count: 103 - (library + "/requests").utf8.count - 1)
    private static let longestRuntime =
        "/" + String(repeating: "r", count: 107 - "/wilor-sidecar/requests".utf8.count - 1)

    static let cases = [
        Case(),
        Case(environment: ["XDG_RUNTIME_DIR": ""]),
        Case(environment: ["XDG_RUNTIME_DIR": "/run/user/501"], wanted: "/run/user/501/wilor-sidecar"),
        Case(environment: ["XDG_RUNTIME_DIR": "/run/user/501/"], wanted: "/run/user/501/wilor-sidecar"),
        Case(environment: ["XDG_RUNTIME_DIR": longestRuntime], wanted: longestRuntime + "/wilor-sidecar"),
        Case(environment: ["XDG_RUNTIME_DIR": longestRuntime + "r"]),
        Case(
            environment: ["XDG_RUNTIME_DIR": "/run/user/501"], platform: "darwin", home: "/Users/ada",
            wanted: "/Users/ada" + library),
        Case(platform: "darwin", home: longestHome, wanted: longestHome + library),
        Case(platform: "darwin", home: longestHome + "u"),
        Case(
            platform: "darwin", home: "/" + String(repeating: "é", count: 30),
            wanted: "/" + String(repeating: "é", count: 30) + library),
        Case(platform: "darwin", home: "/" + String(repeating: "é", count: 40)),
        Case(environment: ["WILOR_SIDECAR_RUN": "/srv/hands", "XDG_RUNTIME_DIR": "/r"], wanted: "/srv/hands"),
        Case(
            environment: ["WILOR_SIDECAR_RUN": "/srv/hands/"], platform: "darwin", wanted: "/srv/hands"),
        Case(environment: ["WILOR_SIDECAR_RUN": longestRuntime + "r"], wanted: longestRuntime + "r"),
        Case(environment: ["WILOR_SIDECAR_RUN": "", "XDG_RUNTIME_DIR": "/r"], wanted: "/r/wilor-sidecar"),
    ]

    @Test("The rule gives the directory", arguments: cases)
    func rule(_ one: Case) {
        #expect(one.found == one.wanted)
    }

    @Test("The daemon's own rule gives the same", .enabled(if: Repository.hasDaemon, "make setup makes .venv"))
    func sameAsPython() throws {
        let input = String(decoding: try JSONEncoder().encode(Self.cases), as: UTF8.self)
        #expect(try PythonProcess.peer([String].self, ["run-directories"], input: input) == Self.cases.map(\.found))
    }

    @Test("Both sockets are in the directory")
    func addresses() {
        #expect(RunDirectory.requestsAddress(in: "/run/w") == "ipc:///run/w/requests")
        #expect(RunDirectory.eventsAddress(in: "/run/w") == "ipc:///run/w/events")
    }

    @Test("A run directory is made private, and may be there already")
    func made() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("one/two/run")
        try PrivateDirectory.make(path)
        try PrivateDirectory.make(path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }

    @Test("A run directory that others could use is refused, and the sentence says why")
    func refused() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.file("open"), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: folder.path)
        try Data().write(to: URL(fileURLWithPath: folder.file("file")))
        for (name, reason) in [
            ("open", "is open to others (mode 755); chmod 700 it"), ("link", "a link is refused too"),
            ("file", "is not a directory"), ("file/below", "Not a directory"),
        ] {
            let error = #expect(throws: HandPoseError.self) { try PrivateDirectory.make(folder.file(name)) }
            #expect(error?.code == .notPrivate)
            #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        }
    }
}
