import HandPoseProtocol

/// The frames of one topic. It subscribes when it is first asked, and unsubscribes when it is gone.
struct EventFrames {
    private let client: HandPoseClient
    private let topic: Topic
    private let keeping: Int
    private let silence: Duration?
    private var reader: FrameReader?

    init(client: HandPoseClient, topic: Topic, keeping: Int, silence: Duration? = nil) {
        self.client = client
        self.topic = topic
        self.keeping = keeping
        self.silence = silence
    }

    /// The next frame, or silence where it was asked for; nil when the client was closed or the task cancelled.
    mutating func next(isolation actor: isolated (any Actor)?) async throws(HandPoseError) -> FrameQueue.Item? {
        do throws(HandPoseError) {
            if reader == nil {
                reader = try await client.eventFrames(of: topic, keeping: keeping, silence: silence)
            }
            return try await reader?.next(isolation: actor)
        } catch  where error.code == .cancelled || error.code == .closed {
            return nil
        }
    }
}
