import HandPoseProtocol

/// A wish to hear the events of one topic.
struct Subscription: Sendable {
    let id: Int
    let address: String
    let topic: Topic
}
