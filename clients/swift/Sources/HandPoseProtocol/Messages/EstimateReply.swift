/// The hands of a frame, in the order of its crops.
public struct EstimateReply: Answer, Equatable {
    /// The number of the frame's event; nil when none was published.
    public let seq: Int?
    /// This life of the daemon; another after a restart.
    public let epoch: String
    /// One for each crop, in their order.
    public let hands: [HandPose]
    /// Where the time went.
    public let timing: Timing

    package init(from fields: MessageMap) throws(MalformedError) {
        try fields.checkAnswer()
        seq = try fields.required("seq").orNil?.int()
        epoch = try fields.required("epoch").string()
        hands = try fields.hands()
        timing = try Timing(from: fields.required("timing").map())
    }
}

extension MessageMap {
    /// The field `hands`.
    func hands() throws(MalformedError) -> [HandPose] {
        try required("hands").array().map { field throws(MalformedError) in try HandPose(from: field.map()) }
    }
}
