// The page's one connection to the gateway.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ClientMessageSchema,
  ServerMessageSchema,
  SoundSchema,
  SubscribeSchema,
  type ClientMessage,
  type ServerMessage,
} from "./gen/protocol_pb";
import { NOT_LIVE_MS } from "./words";

/** Waits between attempts: ms, doubled from the first to the last, each spread by ± 25 %. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 8_000;

/** How the connection is; times are ms of the page's clock. */
export interface LinkState {
  readonly open: boolean;
  /** When the last message came, or the page began. */
  readonly heard: number;
  /** When the next attempt begins; null: one is under way. */
  readonly retry: number | null;
  /** Messages that could not be read. */
  readonly unreadable: number;
}

/**
 * Link connects, asks for every patient, hands on what comes, and begins again
 * when the connection breaks or is silent for 5 s.
 */
export class Link {
  private socket: WebSocket | null = null;
  private heard: number;
  private began = 0;
  private retry: number | null = null;
  private wait = FIRST_WAIT_MS;
  private open = false;
  private sound = false;
  private id = 0n;
  private unreadable = 0;

  constructor(
    private readonly url: string,
    private readonly clock: () => number,
    private readonly received: (message: ServerMessage, local: number) => void,
  ) {
    this.heard = clock();
  }

  get state(): LinkState {
    return { open: this.open, heard: this.heard, retry: this.retry, unreadable: this.unreadable };
  }

  /** connect begins the first attempt. */
  connect(): void {
    this.retry = null;
    this.began = this.clock();
    const socket = new WebSocket(this.url, "heartwire.v1.proto");
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.open = true;
      this.say({ case: "subscribe", value: create(SubscribeSchema, { all: true }) });
      this.say({ case: "sound", value: create(SoundSchema, { on: this.sound }) });
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.hear(event.data as ArrayBuffer);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lose();
    };
  }

  /** check is called often; it gives up on a silent connection and begins again when it is time. */
  check(): void {
    const now = this.clock();
    if (this.retry !== null) {
      if (now >= this.retry) this.connect();
    } else if (now - Math.max(this.heard, this.began) > NOT_LIVE_MS) {
      this.socket?.close();
      this.lose();
    }
  }

  /** tell says whether this page's alarms can be heard. */
  tell(sound: boolean): void {
    this.sound = sound;
    if (this.open) this.say({ case: "sound", value: create(SoundSchema, { on: sound }) });
  }

  private say(kind: ClientMessage["kind"]): void {
    this.socket?.send(toBinary(ClientMessageSchema, create(ClientMessageSchema, { id: ++this.id, kind })));
  }

  private hear(data: ArrayBuffer): void {
    const local = this.clock();
    let message: ServerMessage;
    try {
      message = fromBinary(ServerMessageSchema, new Uint8Array(data));
    } catch {
      this.unreadable++;
      return;
    }
    this.heard = local;
    this.wait = FIRST_WAIT_MS;
    this.received(message, local);
  }

  private lose(): void {
    this.socket = null;
    this.open = false;
    this.retry = this.clock() + this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(LAST_WAIT_MS, this.wait * 2);
  }
}
