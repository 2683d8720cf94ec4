import HandPoseProtocol

/// A wish to hear the events of one topic.
struct Subscription: Sendable {
    let id: Int
    let address: String
    let topic: Topic
    /// After how long without an event the reader is told, each time; nil: never.
    let silence: Duration?
}
