import Foundation
import HandPoseClient
import HandPoseProtocol

/// Prints live events of the daemon, or sends it one crop.
@main
struct Watch {
    static let usage = """
        usage: handpose-watch events SOURCE [--count N] [--keeping N]
               handpose-watch estimate FILE --side left|right [--size W,H --box X1,Y1,X2,Y2] [--source NAME]
               handpose-watch state
        with  --run-dir DIR    of the daemon; default: where this user's runs
              --tcp HOST:PORT [--keys FILE]    to reach it over TCP; keys from `wilor-sidecar keys add`

        FILE holds bytes R, G, B, row by row: a crop of 256 x 256 pixels, or with --size a whole image, out of which the
        hand in --box is cut.
        """

    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch let error as UsageError {
            fail("\(error.message)\n\(usage)", status: 64)
        } catch {
            fail("\(error)", status: 1)
        }
    }

    private static func run(_ words: [String]) async throws {
        let arguments = try Arguments(
            words,
            options: [
                "--run-dir", "--tcp", "--keys", "--source", "--side", "--size", "--box", "--count", "--keeping",
            ])
        try await HandPoseClient.withConnection(configuration(arguments)) { client in
            switch arguments.operands.first {
            case "events": try await events(client, arguments)
            case "estimate": try await estimate(client, arguments)
            case "state": for try await event in client.stateEvents() { show(event.summary) }
            default: throw UsageError(message: "expected a command")
            }
        }
    }

    private static func configuration(_ arguments: Arguments) throws -> HandPoseConfiguration {
        let source = arguments["--source"]
        if let directory = arguments["--run-dir"] {
            return HandPoseConfiguration(runDirectory: directory, source: source)
        }
        let keys = try arguments["--keys"].map { path throws(HandPoseError) in try ClientKeys(file: path) }
        return HandPoseConfiguration(
            requestsAddress: arguments["--tcp"].map { "tcp://\($0)" }, source: source, keys: keys)
    }

    private static func events(_ client: HandPoseClient, _ arguments: Arguments) async throws {
        guard arguments.operands.count == 2 else { throw UsageError(message: "expected a source") }
        let count = arguments["--count"].flatMap { Int($0) } ?? .max
        let keeping = arguments["--keeping"].flatMap { Int($0) } ?? 1
        var printed = 0
        for try await event in try client.poseEvents(source: arguments.operands[1], mesh: false, keeping: keeping) {
            show(event.summary(nowNs: try await client.nowNs()))
            printed += 1
            if printed >= count { break }
        }
    }

    private static func estimate(_ client: HandPoseClient, _ arguments: Arguments) async throws {
        guard arguments.operands.count == 2 else { throw UsageError(message: "expected a file") }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: arguments.operands[1])))
        var (crop, size): (HandCrop, ImageSize?) = (HandCrop(.rgb(bytes), side: try arguments.side()), nil)
        if let numbers = try arguments.numbers("--size", count: 2) {
            let (width, height) = (Int(exactly: numbers[0]) ?? 0, Int(exactly: numbers[1]) ?? 0)
            let image = try RGBImage(pixels: bytes, width: width, height: height)
            guard let box = try arguments.numbers("--box", count: 4) else {
                throw UsageError(message: "--box: expected with --size")
            }
            crop = try HandCrop(
                cutFrom: image, box: DetectionBox(x1: box[0], y1: box[1], x2: box[2], y2: box[3]),
                side: try arguments.side())
            size = ImageSize(width: image.width, height: image.height)
        }
        let reply = try await client.estimate([crop], imageSize: size)
        for hand in reply.hands { show(hand.summary) }
        show(String(format: "%.1f ms in the daemon", reply.timing.totalMs))
    }

    private static func fail(_ text: String, status: Int32) -> Never {
        FileHandle.standardError.write(Data("handpose-watch: \(text)\n".utf8))
        exit(status)
    }
}
