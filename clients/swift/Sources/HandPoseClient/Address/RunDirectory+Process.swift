import Foundation

extension RunDirectory {
    /// The run directory of this process, made if there is none yet, and checked to be this user's alone.
    static func ownPath() throws(HandPoseError) -> String {
        let environment = ProcessInfo.processInfo.environment
        let directory = path(
            environment: environment, platform: .current, home: environment["HOME"] ?? NSHomeDirectory(),
            userID: getuid())
        try PrivateDirectory.make(directory)
        return directory
    }
}
