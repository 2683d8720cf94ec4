extension HandTopology: Answer {
    /// The reply to `topology`. Joints and rotations are named in it; another order than `Joint` and `HandRotation` have
    /// would be another protocol.
    package init(from fields: MessageMap) throws(MalformedError) {
        try fields.checkAnswer()
        let flat = try fields.required("faces").int32(1538, 3)
        self.init(faces: (0..<1538).map { SIMD3(flat[3 * $0], flat[3 * $0 + 1], flat[3 * $0 + 2]) })
        try fields.required("joint_names").expect(Joint.allCases.map(\.name))
        try fields.required("joint_parents").expect(Joint.allCases.map { $0.parent?.rawValue ?? -1 })
        try fields.required("rotation_names").expect(HandRotation.allCases.map(\.name))
        try fields.required("rotation_parents").expect(HandRotation.allCases.map { $0.parent?.rawValue ?? -1 })
    }
}

extension MessageField {
    fileprivate func expect(_ expected: [String]) throws(MalformedError) {
        let found = try strings()
        guard found == expected else { throw MalformedError("\(path): expected \(expected), got \(found)") }
    }

    fileprivate func expect(_ expected: [Int]) throws(MalformedError) {
        let found = try ints()
        guard found == expected else { throw MalformedError("\(path): expected \(expected), got \(found)") }
    }
}
