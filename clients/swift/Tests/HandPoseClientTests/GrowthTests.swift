import Foundation
import HandPoseClient
import TestSupport
import Testing

/// Nothing is left behind by requests, loops and clients that are over.
@Suite(
    .serialized, .enabled(if: Repository.hasDaemon && Resources.areKnown, "needs .venv, and /proc to count with"),
    .timeLimit(.minutes(10)))
struct GrowthTests {
    private let crop = HandCrop(.rgb([UInt8](repeating: 99, count: WireLimits.cropBytes)), side: .left)

    @Test("Ten thousand requests leave nothing behind")
    func requests() async throws {
        let daemon = try TestDaemon.shared.get()
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            for round in 0..<1_000 { try await requests(round, client) }
            let before = Resources.now
            for round in 1_000..<5_500 { try await requests(round, client) }
            let middle = Resources.now
            for round in 5_500..<10_000 { try await requests(round, client) }
            let after = Resources.now
            print("before \(before), in between \(middle), after \(after)")
            // A kilobyte left behind by each would be 4.5 MB in either half; the system may take some once.
            let grown = [(before, middle), (middle, after)].map { $1.residentBytes - $0.residentBytes }
            #expect(grown.min() ?? 0 < 3 << 20)
            // The system's own threads come and go; each request's would be thousands.
            #expect(after.files <= before.files && after.threads <= before.threads + 4)
        }
    }

    /// One request: most are crops that came too late, which go the whole way but for the network.
    private func requests(_ round: Int, _ client: HandPoseClient) async throws {
        switch round % 200 {
        case 0: #expect(try await client.estimate([crop]).hands.count == 1)
        case 1, 51, 101: _ = try await client.topology()
        case 2: _ = try await client.status()
        case 3, 103:
            let cancelled = Task { try await client.ping(deep: true) }
            cancelled.cancel()
            _ = await cancelled.result
        case 4, 54: for try await _ in client.stateEvents() { break }
        default:
            do throws(HandPoseError) {
                _ = try await client.estimate([crop], capturedAtNs: 1, deadline: .zero)
                Issue.record("a frame that old was computed")
            } catch {
                #expect(error.code == .refused(.expired))
            }
        }
    }

    @Test("Clients that nobody holds any more take their threads and sockets with them")
    func clients() async throws {
        let daemon = try TestDaemon.shared.get()
        let before = Resources.now
        for round in 0..<50 {
            let client = try HandPoseClient(daemon.configuration())
            if round.isMultiple(of: 2) { _ = try await client.ping() }
        }
        try await eventually("threads and files are gone") {
            let now = Resources.now
            // The system keeps some for itself the first time it needs them; fifty clients would leave hundreds.
            return now.threads <= before.threads + 4 && now.files <= before.files + 4
        }
    }
}

/// What this process uses.
struct Resources {
    let residentBytes: Int
    let files: Int
    let threads: Int

    static var areKnown: Bool { FileManager.default.fileExists(atPath: "/proc/self/statm") }

    static var now: Resources {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return Resources(
            residentBytes: (pages.flatMap { Int($0[1]) } ?? 0) * Int(getpagesize()), files: count("fd"),
            threads: count("task"))
    }

    private static func count(_ what: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(what)"))?.count ?? 0
    }
}
