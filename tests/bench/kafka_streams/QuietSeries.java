import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The peers' job on Kafka Streams: deduplicate instances, keep state with a changelog, emit each series and its
 * count when it has been quiet for so long, exactly once.
 *
 * <p>Rules of this file: the Processor API as its documentation has it, stores cached, only the two fields that
 * matter parsed; no FHIR, no facts. The quiet clock is the wall clock, as its punctuators offer.
 */
public final class QuietSeries implements Processor<String, byte[], String, String> {
    private static final String SEEN = "seen"; // series/instance → nothing
    private static final String SERIES = "series"; // series → count, wall clock of the last instance (0: emitted)
    private static final byte[] PRESENT = {1};
    private static final JsonFactory JSON = new JsonFactory();
    private static final AtomicBoolean BEGAN = new AtomicBoolean();

    private final long quietMs;
    private final Map<String, long[]> open = new HashMap<>();
    private ProcessorContext<String, String> context;
    private KeyValueStore<String, byte[]> seen;
    private KeyValueStore<String, byte[]> series;

    private QuietSeries(long quietMs) {
        this.quietMs = quietMs;
    }

    /** Arguments: bootstrap servers, application id, input, output, threads, quiet ms, state folder. */
    public static void main(String[] told) {
        Topology topology = new Topology();
        topology.addSource("in", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), told[2]);
        topology.addProcessor("quiet", () -> new QuietSeries(Long.parseLong(told[5])), "in");
        for (String name : new String[] {SEEN, SERIES}) {
            topology.addStateStore(
                    Stores.keyValueStoreBuilder(
                                    Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.ByteArray())
                            .withCachingEnabled(),
                    "quiet");
        }
        topology.addSink("out", told[3], Serdes.String().serializer(), Serdes.String().serializer(), "quiet");
        KafkaStreams streams = new KafkaStreams(topology, settings(told));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
    }

    private static Properties settings(String[] told) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, told[1]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, told[4]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, told[6]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        settings.put(StreamsConfig.producerPrefix("linger.ms"), "20");
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), "5000");
        return settings;
    }

    @Override
    public void init(ProcessorContext<String, String> context) {
        this.context = context;
        seen = context.getStateStore(SEEN);
        series = context.getStateStore(SERIES);
        try (var all = series.all()) {
            all.forEachRemaining(entry -> {
                long[] state = unpack(entry.value);
                if (state[1] > 0) {
                    open.put(entry.key, state);
                }
            });
        }
        context.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, this::close);
    }

    @Override
    public void process(Record<String, byte[]> record) {
        if (BEGAN.compareAndSet(false, true)) {
            System.out.println("began");
        }
        String[] path = path(record.value());
        if (seen.putIfAbsent(path[0] + "/" + path[1], PRESENT) != null) {
            return;
        }
        long[] state = open.computeIfAbsent(path[0], uid -> {
            byte[] known = series.get(uid);
            return known == null ? new long[2] : unpack(known);
        });
        state[0]++;
        state[1] = context.currentSystemTimeMs();
        series.put(path[0], pack(state));
    }

    private void close(long nowMs) {
        open.entrySet().removeIf(entry -> {
            long[] state = entry.getValue();
            if (nowMs - state[1] < quietMs) {
                return false;
            }
            state[1] = 0;
            series.put(entry.getKey(), pack(state));
            context.forward(new Record<>(entry.getKey(), Long.toString(state[0]), nowMs));
            return true;
        });
    }

    private static String[] path(byte[] event) {
        String[] found = new String[2];
        try (JsonParser parser = JSON.createParser(event)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "series_instance_uid" -> found[0] = parser.getText();
                    case "sop_instance_uid" -> found[1] = parser.getText();
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
        return found;
    }

    private static byte[] pack(long[] state) {
        return ByteBuffer.allocate(16).putLong(state[0]).putLong(state[1]).array();
    }

    private static long[] unpack(byte[] packed) {
        ByteBuffer from = ByteBuffer.wrap(packed);
        return new long[] {from.getLong(), from.getLong()};
    }
}
