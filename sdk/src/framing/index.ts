/** Bytes to messages and back, for the SDK and for the daemon. */
export type { Decoder, Encode, Frame } from './frame.js'
export { FrameError, isDeeperThan, MAX_DEPTH, MAX_FRAME_BYTES } from './frame.js'
export { encodeJson, JsonDecoder, jsonText } from './json.js'
export { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from './msgpack.js'
