import Foundation
import HandPoseProtocol
import TestSupport
import Testing

/// One of the golden messages: exact bytes, and what they mean.
struct Golden: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let about: [String: MessagePackValue]

    var testDescription: String { name }
    var kind: String { text("kind") }
    var isValid: Bool { about["valid"] != .bool(false) }
    var isCanonical: Bool { about["canonical"] == .bool(true) }
    /// The map without an event's topic.
    var body: ArraySlice<UInt8> {
        kind == "event" ? bytes[((bytes.firstIndex(of: 0) ?? -1) + 1)...] : bytes[...]
    }

    func text(_ name: String) -> String {
        guard case .string(let text) = about[name] else { return "" }
        return text
    }

    static let all: [Golden] = {
        let folder = Repository.root.appendingPathComponent("protocol/golden")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap {
            $0 as? URL
        }
        return (files ?? []).filter { $0.pathExtension == "bin" }.map { read($0) }.sorted { $0.name < $1.name }
    }()

    /// The sound ones that are short enough to be tried at every length.
    static var short: [Golden] { all.filter { $0.isValid && $0.bytes.count < 2_000 } }
    static func valid(_ kind: String) -> [Golden] { all.filter { $0.isValid && $0.kind == kind } }
    static func invalid(_ kind: String) -> [Golden] { all.filter { !$0.isValid && $0.kind == kind } }

    static func named(_ name: String) -> Golden {
        guard let golden = all.first(where: { $0.name == name }) else { fatalError("no golden message \(name)") }
        return golden
    }

    private static func read(_ file: URL) -> Golden {
        do {
            let json = try Data(contentsOf: file.deletingPathExtension().appendingPathExtension("json"))
            return Golden(
                name: file.deletingPathExtension().lastPathComponent, bytes: [UInt8](try Data(contentsOf: file)),
                about: try JSONDecoder().decode([String: JSON].self, from: json).mapValues(\.value))
        } catch {
            fatalError("\(file.path): \(error)")
        }
    }
}

/// JSON in which bytes are `{"hex": "00ff"}` or `{"repeat": {"hex": "07", "count": 196608}}`.
private struct JSON: Decodable {
    let value: MessagePackValue

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            value = .null
        } else if let truth = try? single.decode(Bool.self) {
            value = .bool(truth)
        } else if let number = try? single.decode(Int64.self) {
            value = .integer(number)
        } else if let number = try? single.decode(Double.self) {
            value = .double(number)
        } else if let text = try? single.decode(String.self) {
            value = .string(text)
        } else if let elements = try? single.decode([JSON].self) {
            value = .array(elements.map(\.value))
        } else {
            value = Self.bytesOrMap(try single.decode([String: JSON].self).mapValues(\.value))
        }
    }

    private static func bytesOrMap(_ fields: [String: MessagePackValue]) -> MessagePackValue {
        if fields.count == 1, case .string(let hex) = fields["hex"] { return .binary(bytes(hex)) }
        if fields.count == 1, case .map(let pattern) = fields["repeat"] {
            let parts = Dictionary(uniqueKeysWithValues: pattern.map { ($0.name, $0.value) })
            if case .string(let hex) = parts["hex"], case .integer(let count) = parts["count"] {
                return .binary([[UInt8]](repeating: bytes(hex), count: Int(count)).flatMap { $0 })
            }
        }
        // Inside "repeat" stands a map with a "hex" of its own beside "count".
        return .map(fields.sorted { $0.key < $1.key }.map { MessagePackField($0.key, $0.value) })
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

/// Whether two readings agree: maps in any order, numbers by their values, all else as it is.
func same(_ one: MessagePackValue, _ other: MessagePackValue) -> Bool {
    switch (one, other) {
    case (.map(let left), .map(let right)):
        let named = Dictionary(uniqueKeysWithValues: right.map { ($0.name, $0.value) })
        return left.count == right.count
            && left.allSatisfy { field in named[field.name].map { same(field.value, $0) } ?? false }
    case (.array(let left), .array(let right)):
        return left.count == right.count && zip(left, right).allSatisfy(same)
    case (.integer(let left), .double(let right)): return Double(left) == right
    case (.double(let left), .integer(let right)): return left == Double(right)
    default: return one == other
    }
}

/// Optional fields that this client reads: where a message has one, a reading without it has lost it.
private let optionalFields: Set = [
    "side_score", "score", "track", "keypoints", "vertices", "camera", "keypoints_2d", "translation", "focal_px",
    "mano",
    "resumed", "protocol", "model_ready",
]

/// Whether a reading has all that a message says, but for fields that later versions of the daemon may have added.
func covers(_ read: MessagePackValue, _ message: MessagePackValue) -> Bool {
    switch (read, message) {
    case (.map(let left), .map(let right)):
        let found = Dictionary(uniqueKeysWithValues: left.map { ($0.name, $0.value) })
        let names = Set(right.map(\.name))
        return left.allSatisfy { names.contains($0.name) }
            && right.allSatisfy { field in
                found[field.name].map { covers($0, field.value) } ?? !optionalFields.contains(field.name)
            }
    case (.array(let left), .array(let right)):
        return left.count == right.count && zip(left, right).allSatisfy(covers)
    default: return same(read, message)
    }
}
