import Foundation

/// A directory that only its owner may enter: what stands in it was put there by this user, or by root.
enum PrivateDirectory {
    /// Makes the directory if need be, and checks that it is this user's alone: in `/tmp` whoever makes it first has it.
    static func make(_ path: String) throws(HandPoseError) {
        let parent = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw refuse(path, String(cString: strerror(errno))) }
        var found = stat()
        guard lstat(path, &found) == 0 else { throw refuse(path, String(cString: strerror(errno))) }
        guard found.st_mode & S_IFMT == S_IFDIR else {
            throw refuse(path, "is not a directory (a link is refused too)")
        }
        guard found.st_uid == getuid() else {
            throw refuse(path, "belongs to user \(found.st_uid), not to \(getuid())")
        }
        guard found.st_mode & 0o077 == 0 else {
            throw refuse(path, "is open to others (mode \(String(found.st_mode & 0o777, radix: 8))); chmod 700 it")
        }
    }

    private static func refuse(_ path: String, _ why: String) -> HandPoseError {
        HandPoseError(.notPrivate, "run directory \(path): \(why)")
    }
}
