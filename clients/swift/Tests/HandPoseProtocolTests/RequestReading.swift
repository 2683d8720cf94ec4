import HandPoseProtocol

/// The request in a body, so that golden requests can be written again. The client itself never reads requests.
struct ReadRequest {
    let id: Int
    let request: Request

    init(_ body: ArraySlice<UInt8>) throws(MalformedError) {
        let fields = try MessageMap(body: body)
        id = try fields.required("id").int()
        switch try fields.required("op").string() {
        case "hello": request = .hello
        case "status": request = .status
        case "ping": request = .ping(deep: try fields.optional("deep")?.bool() ?? false)
        case "topology": request = .topology
        case "estimate": request = .estimate(try EstimateRequest(from: fields))
        case let operation: throw MalformedError("op: got \(operation)")
        }
        guard try fields.required("v").int() == 1 else { throw MalformedError("v: expected 1") }
    }
}

extension EstimateRequest {
    fileprivate init(from fields: MessageMap) throws(MalformedError) {
        self.init(
            source: try fields.required("source").string(), frame: try fields.required("frame").int(),
            capturedAtNs: try fields.required("captured_at_ns").int64(),
            hands: try fields.required("hands").array().map { field throws(MalformedError) in try HandCrop(field) })
        deadlineMs = try fields.optional("deadline_ms")?.number()
        publish = try fields.optional("publish")?.bool() ?? true
        want = try fields.optional("want")?.array().map { word throws(MalformedError) in try word.word(PosePart.self) }
        if let size = try fields.optional("image_size")?.array(count: 2) {
            imageSize = ImageSize(width: try size[0].int(), height: try size[1].int())
        }
        if let lens = try fields.optional("intrinsics")?.array(count: 4) {
            intrinsics = Intrinsics(
                fx: try lens[0].number(), fy: try lens[1].number(), cx: try lens[2].number(), cy: try lens[3].number())
        }
        mirrored = try fields.optional("mirrored")?.bool() ?? false
    }
}

extension HandCrop {
    fileprivate init(_ field: MessageField) throws(MalformedError) {
        let fields = try field.map()
        self.init(
            try CropImage(fields.required("crop")), side: try fields.required("side").word(Side.self),
            sideScore: try fields.optional("side_score")?.number(), score: try fields.optional("score")?.number(),
            track: try fields.optional("track")?.int())
        if let square = try fields.optional("box")?.array(count: 3) {
            box = CropBox(
                centreX: try square[0].number(), centreY: try square[1].number(), side: try square[2].number())
        }
    }
}

extension CropImage {
    fileprivate init(_ field: MessageField) throws(MalformedError) {
        if case .binary(let pixels) = field.value {
            self = .rgb(pixels)
            return
        }
        let fields = try field.map()
        let file = try fields.required("data").binary()
        switch try fields.required("codec").string() {
        case "jpeg": self = .jpeg(file)
        case "png": self = .png(file)
        case let codec: throw MalformedError("\(field.path).codec: got \(codec)")
        }
    }
}

extension MessageField {
    /// A float as it stands, NaN too, so that the request's own checks are met with it.
    fileprivate func number() throws(MalformedError) -> Double {
        if case .double(let number) = value { return number }
        return try double()
    }
}
