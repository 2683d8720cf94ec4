/// What a client may ask.
package enum Request: Sendable {
    case hello
    case status
    case ping(deep: Bool)
    case topology
    case estimate(EstimateRequest)

    /// The canonical body.
    ///
    /// - Parameter id: echoed in the reply, 0 to 2^53.
    /// - Throws: for what the daemon would refuse.
    package func encoded(id: Int) throws(InvalidRequestError) -> [UInt8] {
        try require("id", id, in: 0...WireLimits.maxInteger)
        let head = [
            MessagePackField("op", .string(operation)),
            MessagePackField("id", .integer(Int64(id))),
            MessagePackField("v", .integer(Int64(protocolVersion))),
        ]
        return MessagePackValue.map(head + (try fields())).encoded()
    }

    private var operation: String {
        switch self {
        case .hello: "hello"
        case .status: "status"
        case .ping: "ping"
        case .topology: "topology"
        case .estimate: "estimate"
        }
    }

    private func fields() throws(InvalidRequestError) -> [MessagePackField] {
        switch self {
        case .hello, .status, .topology: return []
        case .ping(let deep): return deep ? [MessagePackField("deep", .bool(true))] : []
        case .estimate(let request):
            try request.check()
            return request.fields()
        }
    }
}
