/// What an event is about, and what one subscribes to.
package enum Topic: Sendable, Equatable {
    /// All hands of each frame of a source, complete.
    case hands(source: String)
    /// The same without vertices and MANO's parameters, under 1 KB a hand.
    case joints(source: String)
    /// The daemon's state.
    case state

    package var name: String {
        switch self {
        case .hands(let source): "hands/\(source)"
        case .joints(let source): "joints/\(source)"
        case .state: "state"
        }
    }

    /// The topic's bytes and the NUL that ends them: ZeroMQ compares prefixes, so the NUL belongs to a subscription.
    package var subscription: [UInt8] { Array(name.utf8) + [0] }
}

/// The one frame of an event, taken apart.
package struct EventFrame {
    package let topic: String
    package let fields: MessageMap

    /// - Throws: when no NUL byte ends a topic, the topic is not UTF-8, or what follows is not one map.
    package init(_ frame: [UInt8]) throws(MalformedError) {
        guard let nul = frame.firstIndex(of: 0) else {
            throw MalformedError("not an event: no NUL byte ends its topic")
        }
        guard let topic = String(validating: frame[..<nul], as: UTF8.self) else {
            throw MalformedError("not an event: its topic is not utf-8")
        }
        self.topic = topic
        fields = try MessageMap(body: frame[(nul + 1)...])
        try fields.checkVersion()
    }
}
