import HandPoseProtocol

/// The frames of one topic. It subscribes when it is first asked, and unsubscribes when it is gone.
struct EventFrames {
    private let client: HandPoseClient
    private let topic: Topic
    private let keeping: Int
    private var frames: AsyncStream<Result<[UInt8], HandPoseError>>.Iterator?

    init(client: HandPoseClient, topic: Topic, keeping: Int) {
        self.client = client
        self.topic = topic
        self.keeping = keeping
    }

    /// The next frame; nil when the client is closed or the task cancelled.
    mutating func next(isolation actor: isolated (any Actor)?) async throws(HandPoseError) -> [UInt8]? {
        do throws(HandPoseError) {
            var frames = try await running(isolation: actor)
            defer { self.frames = frames }
            return try await frames.next(isolation: actor)?.get()
        } catch  where error.code == .cancelled || error.code == .closed {
            return nil
        }
    }

    private func running(
        isolation actor: isolated (any Actor)?
    ) async throws(HandPoseError) -> AsyncStream<Result<[UInt8], HandPoseError>>.Iterator {
        if let frames { return frames }
        return try await client.eventFrames(of: topic, keeping: keeping).makeAsyncIterator()
    }
}
