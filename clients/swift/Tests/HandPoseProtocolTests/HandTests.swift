import Foundation
import HandPoseProtocol
import Testing

/// Names, bones and axes of a hand.
@Suite struct HandTests {
    @Test("Joints and rotations have the wire's names and parents")
    func names() throws {
        let fields = try MessageMap(body: Golden.named("topology_reply").bytes[...])
        #expect(try fields.required("joint_names").strings() == Joint.allCases.map(\.name))
        #expect(try fields.required("joint_parents").ints() == Joint.allCases.map { $0.parent?.rawValue ?? -1 })
        #expect(try fields.required("rotation_names").strings() == HandRotation.allCases.map(\.name))
        #expect(
            try fields.required("rotation_parents").ints() == HandRotation.allCases.map { $0.parent?.rawValue ?? -1 })
        #expect(Joint.indexTip.rawValue == 8 && HandRotation.ringMCP.rawValue == 10)
    }

    @Test("A topology with its joints in another order is refused")
    func otherOrder() throws {
        let golden = try MessagePackValue(decoding: Golden.named("topology_reply").bytes[...])
        guard case .map(var fields) = golden else {
            Issue.record("got \(golden)")
            return
        }
        let place = try #require(fields.firstIndex { $0.name == "joint_names" })
        guard case .array(let names) = fields[place].value else {
            Issue.record("got \(fields[place].value)")
            return
        }
        fields[place] = MessagePackField("joint_names", .array(names.reversed()))
        let body = MessagePackValue.map(fields).encoded()
        let error = #expect(throws: MalformedError.self) { try HandTopology(from: MessageMap(body: body[...])) }
        #expect(error?.description.hasPrefix("joint_names: expected") == true)
    }

    @Test("Twenty bones lead from the wrist to the tips")
    func bones() {
        #expect(HandTopology.bones.count == 20)
        #expect(
            HandTopology.bones.filter { $0.from == .wrist }.map(\.to) == [
                .thumbCMC, .indexMCP, .middleMCP, .ringMCP, .littleMCP,
            ])
        #expect(HandTopology.bones.contains { $0.from == .indexDIP && $0.to == .indexTip })
    }

    @Test("A left hand's triangles are the right's, reversed")
    func faces() {
        let topology = HandTopology(faces: [SIMD3(1, 2, 3)])
        #expect(topology.faces(of: .right) == [SIMD3(1, 2, 3)])
        #expect(topology.faces(of: .left) == [SIMD3(3, 2, 1)])
    }

    @Test("Key points are found by name, relative to the wrist, and apart from each other")
    func keypoints() {
        let points = (0..<21).map { SIMD3(Float($0), 0, 4) }
        let hand = HandPose(side: .left, keypoints: points)
        #expect(hand[.indexTip] == SIMD3(8, 0, 4))
        #expect(hand.keypointsFromWrist?[8] == SIMD3(8, 0, 0))
        #expect(hand.distance(.thumbTip, .indexTip) == 4)
        #expect(HandPose(side: .left).distance(.thumbTip, .indexTip) == nil)
    }

    @Test("Vertices lie flat and are read as points")
    func vertices() throws {
        let vertices = try #require(HandVertices(flat: [1, 2, 3, 4, 5, 6]))
        #expect(Array(vertices) == [SIMD3(1, 2, 3), SIMD3(4, 5, 6)])
        #expect(HandVertices(flat: [1, 2]) == nil)
    }

    @Test("MANO's rotations are found by name")
    func rotations() {
        let mano = Mano(
            globalOrient: SIMD3(9, 9, 9), handPose: (0..<15).map { SIMD3(repeating: Float($0)) }, betas: [])
        #expect(mano[.wrist] == SIMD3(9, 9, 9))
        #expect(
            mano[.indexMCP] == SIMD3(0, 0, 0) && mano[.ringMCP] == SIMD3(9, 9, 9) && mano[.thumbIP] == SIMD3(14, 14, 14)
        )
    }

    @Test("Scene axes turn y up and z towards the viewer, and back")
    func axes() {
        #expect(SceneAxes.convert(SIMD3(1, 2, 3)) == SIMD3(1, -2, -3))
        #expect(SceneAxes.convert([SceneAxes.convert(SIMD3(1, 2, 3))]) == [SIMD3(1, 2, 3)])
    }

    @Test("A rotation in scene axes turns what it turned before")
    func rotationInSceneAxes() {
        let axisAngle = SIMD3<Float>(0.3, -1.1, 0.7)
        let point = SIMD3<Float>(0.4, 0.5, -0.6)
        let expected = SceneAxes.convert(rotate(point, axisAngle))
        let quaternion = SceneAxes.quaternion(axisAngle: axisAngle)
        let turned = rotate(SceneAxes.convert(point), quaternion: quaternion)
        #expect((turned - expected).max() < 1e-6 && (turned - expected).min() > -1e-6)
        #expect(SceneAxes.quaternion(axisAngle: .zero) == SIMD4(0, 0, 0, 1))
    }

    /// Rodrigues' formula.
    private func rotate(_ point: SIMD3<Float>, _ axisAngle: SIMD3<Float>) -> SIMD3<Float> {
        let angle = (axisAngle * axisAngle).sum().squareRoot()
        let axis = axisAngle / angle
        return point * cos(angle) + cross(axis, point) * sin(angle) + axis * ((axis * point).sum() * (1 - cos(angle)))
    }

    private func rotate(_ point: SIMD3<Float>, quaternion: SIMD4<Float>) -> SIMD3<Float> {
        let vector = SIMD3(quaternion.x, quaternion.y, quaternion.z)
        return point + 2 * cross(vector, cross(vector, point) + quaternion.w * point)
    }

    private func cross(_ a: SIMD3<Float>, _ b: SIMD3<Float>) -> SIMD3<Float> {
        SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
    }
}
