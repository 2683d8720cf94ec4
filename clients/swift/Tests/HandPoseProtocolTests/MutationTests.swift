import HandPoseProtocol
import Testing

/// Golden messages with some bytes changed: each gives a value or an error, and what gives a value can be written.
@Suite struct MutationTests {
    /// A small generator with a seed, so that a failure can be had again (Knuth's MMIX constants).
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    @Test("No mutation of a golden message is a trap", arguments: Golden.all)
    func mutations(_ golden: Golden) throws {
        var random = Seeded(state: UInt64(golden.bytes.count))
        let rounds = golden.bytes.count > 1_000 ? 60 : 400
        var refused = 0
        for _ in 0..<rounds {
            let mutant = mutated(golden.bytes, &random)
            do throws(MalformedError) {
                let value = try MessagePackValue(decoding: mutant[...])
                let again = try MessagePackValue(decoding: value.encoded()[...])
                #expect(again.encoded() == value.encoded())
            } catch {
                refused += 1
            }
            readAsEverything(mutant)
        }
        #expect(refused > 0)
    }

    @Test("No beginning of a golden message is sound", arguments: Golden.short)
    func truncations(_ golden: Golden) {
        for end in golden.body.indices {
            #expect(throws: MalformedError.self) { try MessagePackValue(decoding: golden.body[..<end]) }
        }
    }

    private func mutated(_ bytes: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            // Most structure is near the beginning; an even choice would change pixels and nothing else.
            let end = Bool.random(using: &random) ? bytes.count : min(bytes.count, 80)
            let place = Int.random(in: 0..<end, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.remove(at: place)
            default:
                bytes.insert([0xc1, 0xdd, 0xdf, 0xc6, 0xdb, 0xff, 0x00].randomElement(using: &random) ?? 0, at: place)
            }
        }
        return bytes
    }

    /// Reads bytes as every message there is. Whether they are one does not matter here.
    private func readAsEverything(_ bytes: [UInt8]) {
        _ = try? HandsEvent(frame: bytes)
        _ = try? StateEvent(frame: bytes)
        guard let fields = try? MessageMap(body: bytes[...]) else { return }
        _ = try? ReplyHead(from: fields)
        _ = try? HelloReply(from: fields)
        _ = try? StatusReply(from: fields)
        _ = try? PongReply(from: fields)
        _ = try? HandTopology(from: fields)
        _ = try? EstimateReply(from: fields)
    }
}
