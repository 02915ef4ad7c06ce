package heartwire;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The stage windows of `heartwire bench stage`, written for Kafka Streams: count, sum, least and most
 * of the time that records were under way, a key and 10 s of sample time, exactly once. It reads of a
 * record what the stage reads, from the same bytes, and says the same records.
 *
 * <p>Arguments: brokers, application id, input, output, commit interval in ms, memory or rocksdb,
 * threads, directory for states. It prints "running" when it is, and ends by SIGTERM.
 */
public final class Windows {
  static final long WINDOW = 10_000_000; // µs
  static final String STORE = "windows";

  public static void main(String[] args) {
    var conf = new Properties();
    conf.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    conf.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    conf.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    conf.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[4]);
    conf.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[6]);
    conf.put(StreamsConfig.STATE_DIR_CONFIG, args[7]);
    conf.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    conf.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    conf.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    conf.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 0);

    var supplier = args[5].equals("rocksdb") ? Stores.persistentKeyValueStore(STORE) : Stores.inMemoryKeyValueStore(STORE);
    var store = Stores.keyValueStoreBuilder(supplier, Serdes.Bytes(), Serdes.ByteArray()).withCachingEnabled();
    var topology = new Topology()
        .addSource("in", Serdes.Bytes().deserializer(), Serdes.ByteArray().deserializer(), args[2])
        .addProcessor("windows", Aggregate::new, "in")
        .addStateStore(store, "windows")
        .addSink("out", args[3], Serdes.Bytes().serializer(), Serdes.ByteArray().serializer(), "windows");

    var streams = new KafkaStreams(topology, conf);
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING) {
        System.out.println("running");
      }
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    streams.start();
  }

  /** A state is five longs: begin of the window (µs), count, sum, least, most. */
  static final class Aggregate implements Processor<Bytes, byte[], Bytes, byte[]> {
    private ProcessorContext<Bytes, byte[]> context;
    private KeyValueStore<Bytes, byte[]> states;
    private final Frame frame = new Frame();
    private long closed; // windows that ended by then have been said: no tick has to look for them again

    @Override
    public void init(ProcessorContext<Bytes, byte[]> context) {
      this.context = context;
      states = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<Bytes, byte[]> record) {
      try {
        frame.read(record.value());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      if (frame.tick) {
        tick(record);
        return;
      }
      var begin = frame.time - frame.time % WINDOW;
      var delay = frame.arrival - frame.time;
      var old = states.get(record.key());
      long count = 0, sum = 0, min = delay, max = delay;
      if (old != null) {
        var s = ByteBuffer.wrap(old);
        var was = s.getLong();
        if (begin < was && s.getLong(8) > 0) {
          return; // late; there are none
        }
        if (begin > was) {
          say(record, record.key(), old);
        } else if (s.getLong(8) > 0) {
          count = s.getLong();
          sum = s.getLong();
          min = Math.min(min, s.getLong());
          max = Math.max(max, s.getLong());
        }
      }
      states.put(record.key(), ByteBuffer.allocate(40).putLong(begin).putLong(count + 1).putLong(sum + delay).putLong(min).putLong(max).array());
    }

    private void tick(Record<Bytes, byte[]> record) {
      var edge = frame.wall - frame.wall % WINDOW;
      if (edge <= closed) {
        return;
      }
      closed = edge;
      try (var all = states.all()) {
        while (all.hasNext()) {
          var kv = all.next();
          var begin = ByteBuffer.wrap(kv.value).getLong();
          if (begin + WINDOW <= frame.wall && ByteBuffer.wrap(kv.value).getLong(8) > 0) {
            say(record, kv.key, kv.value);
            states.put(kv.key, ByteBuffer.allocate(40).putLong(begin).array());
          }
        }
      }
    }

    private void say(Record<Bytes, byte[]> because, Bytes key, byte[] state) {
      var s = ByteBuffer.wrap(state);
      long begin = s.getLong(), count = s.getLong(), sum = s.getLong(), min = s.getLong(), max = s.getLong();
      if (count > 0) {
        context.forward(because.withKey(key).withValue(Frame.write(key, begin, count, sum, min, max)));
      }
    }
  }

  /** What is read and written of the Protobuf message Frame of topics/frames.proto. */
  static final class Frame {
    boolean tick;
    long time, arrival, wall; // µs

    void read(byte[] b) throws IOException {
      tick = false;
      time = arrival = wall = 0;
      var in = CodedInputStream.newInstance(b);
      for (int tag; (tag = in.readTag()) != 0; ) {
        switch (WireFormat.getTagFieldNumber(tag)) {
          case 2 -> {
            int limit = in.pushLimit(in.readRawVarint32());
            for (int t; (t = in.readTag()) != 0; ) {
              switch (WireFormat.getTagFieldNumber(t)) {
                case 9 -> time = in.readInt64();
                case 10 -> arrival = in.readInt64();
                default -> in.skipField(t);
              }
            }
            in.popLimit(limit);
          }
          case 15 -> {
            tick = true;
            int limit = in.pushLimit(in.readRawVarint32());
            for (int t; (t = in.readTag()) != 0; ) {
              if (WireFormat.getTagFieldNumber(t) == 4) {
                wall = in.readInt64();
              } else {
                in.skipField(t);
              }
            }
            in.popLimit(limit);
          }
          default -> in.skipField(tag);
        }
      }
    }

    static byte[] write(Bytes key, long begin, long count, long sum, long min, long max) {
      var patient = new String(key.get(), StandardCharsets.UTF_8);
      int[] fields = {2, 3, 9, 10, 11};
      long[] values = {max, count, begin, sum, min};
      int size = 0;
      for (int i = 0; i < fields.length; i++) {
        size += values[i] == 0 ? 0 : CodedOutputStream.computeInt64Size(fields[i], values[i]);
      }
      var out = new byte[CodedOutputStream.computeStringSize(1, patient) + CodedOutputStream.computeTagSize(2)
          + CodedOutputStream.computeUInt32SizeNoTag(size) + size];
      try {
        var w = CodedOutputStream.newInstance(out);
        w.writeString(1, patient);
        w.writeTag(2, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        w.writeUInt32NoTag(size);
        for (int i = 0; i < fields.length; i++) {
          if (values[i] != 0) {
            w.writeInt64(fields[i], values[i]);
          }
        }
        w.checkNoSpaceLeft();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return out;
    }
  }

  private Windows() {}
}
