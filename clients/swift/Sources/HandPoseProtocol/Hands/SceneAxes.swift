import Foundation

/// From the camera's axes (x right, y down, z away) to those of SceneKit, RealityKit, ARKit and OpenGL (x right, y up, z
/// towards the viewer), and back: half a turn about x, which is its own inverse.
///
/// Because it is a turn and no reflection, rotations stay rotations, and triangles keep the side they are seen from.
public enum SceneAxes {
    /// A point or a direction in the other axes, in its own unit.
    public static func convert(_ vector: SIMD3<Float>) -> SIMD3<Float> {
        SIMD3(vector.x, -vector.y, -vector.z)
    }

    /// Points in the other axes.
    public static func convert(_ points: some Sequence<SIMD3<Float>>) -> [SIMD3<Float>] {
        points.map { convert($0) }
    }

    /// A unit quaternion (x, y, z and real part w) in the other axes, from an axis-angle vector in rad: what
    /// `simd_quatf(vector:)` takes.
    ///
    /// It holds for every rotation of `Mano`: relative to the camera or to a parent, both ends turn alike.
    public static func quaternion(axisAngle: SIMD3<Float>) -> SIMD4<Float> {
        let turned = convert(axisAngle)
        let angle = (turned * turned).sum().squareRoot()
        guard angle > 0 else { return SIMD4(0, 0, 0, 1) }
        return SIMD4(turned / angle * sin(angle / 2), cos(angle / 2))
    }
}
