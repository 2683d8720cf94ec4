// Whoever asks the client for poses needs their type: one import gives both.
@_exported import HandPoseProtocol
