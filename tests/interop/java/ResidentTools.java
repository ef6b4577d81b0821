import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main programs of Apache Kafka's tools inside one JVM, told by lines of JSON which.
 *
 * <p>Each runs on a thread of its own, with streams of its own that its threads inherit, several at
 * the same time. What would end the process ends the run: the exit code is kept, the shutdown hooks
 * run, and whatever the tool says after that is lost, as it would be.
 */
public final class ResidentTools {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long HOOKS_MS_MAX = 5_000;
    private static final long AFTER_INTERRUPT_MS_MAX = 5_000;
    private static final int FAILED = 1;
    private static final int TERMINATED = 143;

    /** These count in static fields. */
    private static final Set<String> KEEP_STATICS =
        Set.of("org.apache.kafka.tools.consumer.ConsoleConsumer");

    private static final Map<Integer, Run> RUNNING = new ConcurrentHashMap<>();
    private static final Run NONE = new Run(new byte[0]);
    private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();

    /** Thrown where the process would have ended. */
    private static final class Ended extends Error {
        Ended() {
            super(null, null, false, false);
        }
    }

    /** One run of one tool. */
    private static final class Run {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        final List<Runnable> hooks = new ArrayList<>();
        final InputStream in;
        /** Its tool has ended, or somebody wants it to. */
        final CountDownLatch stopped = new CountDownLatch(1);
        private Integer code;
        private volatile boolean over;

        Run(byte[] input) {
            in = new ByteArrayInputStream(input);
        }

        /** The first exit counts; the process would be gone at the second. */
        void exit(int wanted) {
            List<Runnable> due;
            synchronized (this) {
                if (code != null) {
                    return;
                }
                code = wanted;
                due = List.copyOf(hooks);
            }
            List<Thread> running = due.stream().map(hook -> started(hook, this)).toList();
            running.forEach(thread -> join(thread, HOOKS_MS_MAX));
            over = true;
        }

        /** Whether it is to end; false where the time is over. */
        boolean waitFor(long millisecondsMax) {
            try {
                return stopped.await(millisecondsMax, TimeUnit.MILLISECONDS);
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
        }

        synchronized int code() {
            return code;
        }
    }

    /** Loads a tool's package anew, for what is in its static fields is of one run. */
    private static final class OwnStatics extends ClassLoader {
        private final String prefix;

        OwnStatics(String tool, ClassLoader usual) {
            super(usual);
            prefix = tool.substring(0, tool.lastIndexOf('.') + 1);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(prefix)) {
                return super.loadClass(name, resolve);
            }
            Class<?> known = findLoadedClass(name);
            return known != null ? known : define(name);
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream file = getResourceAsStream(name.replace('.', '/') + ".class")) {
                byte[] octets = file.readAllBytes();
                return defineClass(name, octets, 0, octets.length);
            } catch (IOException error) {
                throw new ClassNotFoundException(name, error);
            }
        }
    }

    /** Writes to the run of the thread that writes, or nowhere. */
    private static final class OfTheRun extends OutputStream {
        private final Function<Run, OutputStream> stream;

        OfTheRun(Function<Run, OutputStream> stream) {
            this.stream = stream;
        }

        @Override
        public void write(int octet) throws IOException {
            write(new byte[] {(byte) octet}, 0, 1);
        }

        @Override
        public void write(byte[] octets, int start, int length) throws IOException {
            Run run = CURRENT.get();
            if (run != null && !run.over) {
                stream.apply(run).write(octets, start, length);
            }
        }
    }

    /** Reads what the run of the reading thread was given. */
    private static final class GivenToTheRun extends InputStream {
        @Override
        public int read() throws IOException {
            return CURRENT.get().in.read();
        }

        @Override
        public int read(byte[] octets, int start, int length) throws IOException {
            return CURRENT.get().in.read(octets, start, length);
        }

        @Override
        public int available() throws IOException {
            return CURRENT.get().in.available();
        }
    }

    /** Some tools leave their argument parser to end the process, which no seam of Kafka's sees. */
    @SuppressWarnings("removal")
    private static final class NoExit extends SecurityManager {
        @Override
        public void checkExit(int code) {
            exit(code, null);
        }

        @Override
        public void checkPermission(Permission permission) {
            // All else is allowed.
        }

        @Override
        public void checkPermission(Permission permission, Object context) {
            checkPermission(permission);
        }
    }

    @SuppressWarnings("removal")
    public static void main(String[] arguments) throws IOException {
        PrintStream answers = System.out;
        InputStream questions = System.in;
        System.setOut(new PrintStream(new OfTheRun(run -> run.out), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new OfTheRun(run -> run.err), true, StandardCharsets.UTF_8));
        System.setIn(new GivenToTheRun());
        System.setSecurityManager(new NoExit());
        Exit.setExitProcedure(ResidentTools::exit);
        Exit.setHaltProcedure(ResidentTools::exit);
        Exit.setShutdownHookAdder((name, hook) -> CURRENT.get().hooks.add(hook));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(questions, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode asked = JSON.readTree(line);
            if (asked.has("stop")) {
                RUNNING.getOrDefault(asked.get("stop").asInt(), NONE).stopped.countDown();
            } else {
                Run run = new Run(asked.get("input").asText().getBytes(StandardCharsets.UTF_8));
                RUNNING.put(asked.get("number").asInt(), run);
                new Thread(() -> answer(asked, run, answers)).start();
            }
        }
    }

    private static void exit(int code, String message) {
        CURRENT.get().exit(code);
        throw new Ended();
    }

    private static void answer(JsonNode asked, Run run, PrintStream answers) {
        Thread tool = started(() -> run(asked, run), run);
        boolean late = !run.waitFor(asked.get("milliseconds_max").asLong());
        run.exit(TERMINATED);
        join(tool, AFTER_INTERRUPT_MS_MAX);
        RUNNING.remove(asked.get("number").asInt());
        ObjectNode answer = JSON.createObjectNode();
        answer.put("number", asked.get("number").asInt());
        answer.put("out", run.out.toString(StandardCharsets.UTF_8));
        answer.put("err", run.err.toString(StandardCharsets.UTF_8));
        answer.put("code", run.code());
        answer.put("late", late);
        synchronized (answers) {
            answers.println(answer);
        }
    }

    private static void run(JsonNode asked, Run run) {
        List<String> arguments = new ArrayList<>();
        asked.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        try {
            String tool = asked.get("tool").asText();
            ClassLoader usual = ResidentTools.class.getClassLoader();
            (KEEP_STATICS.contains(tool) ? new OwnStatics(tool, usual) : usual).loadClass(tool)
                .getMethod("main", String[].class)
                .invoke(null, (Object) arguments.toArray(new String[0]));
            run.exit(0);
        } catch (InvocationTargetException error) {
            if (!(error.getCause() instanceof Ended)) {
                System.err.print("Exception in thread \"main\" ");
                error.getCause().printStackTrace();
            }
            run.exit(FAILED);
        } catch (ReflectiveOperationException error) {
            error.printStackTrace();
            run.exit(FAILED);
        }
        run.stopped.countDown();
    }

    private static Thread started(Runnable work, Run run) {
        Thread thread = new Thread(() -> {
            CURRENT.set(run);
            work.run();
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void join(Thread thread, long millisecondsMax) {
        try {
            thread.join(millisecondsMax);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }
}
