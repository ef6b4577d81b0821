import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.metrics.MetricConfig;
import org.apache.kafka.common.metrics.Quota;
import org.apache.kafka.common.metrics.stats.Rate;
import org.apache.kafka.common.metrics.stats.TokenBucket;

/**
 * Measures as Apache Kafka does. A line `begin samples seconds bound` begins anew; each line
 * `amount milliseconds` is counted, and answered by the rate, what it covers, and the tokens left.
 */
public final class QuotaOracle {
    public static void main(String[] arguments) throws IOException {
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        MetricConfig config = new MetricConfig();
        Rate rate = new Rate();
        TokenBucket bucket = new TokenBucket();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("begin")) {
                config = new MetricConfig()
                    .samples(Integer.parseInt(words[1]))
                    .timeWindow(Long.parseLong(words[2]), TimeUnit.SECONDS)
                    .quota(Quota.upperBound(Double.parseDouble(words[3])));
                rate = new Rate();
                bucket = new TokenBucket();
                continue;
            }
            double amount = Double.parseDouble(words[0]);
            long nowMs = Long.parseLong(words[1]);
            rate.record(config, amount, nowMs);
            bucket.record(config, amount, nowMs);
            System.out.println(
                rate.measure(config, nowMs) + " " + rate.windowSize(config, nowMs) + " "
                    + bucket.measure(config, nowMs));
        }
    }
}
