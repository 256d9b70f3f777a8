-- What bench/cliffs.sh fills channels with, empties them by, and measures with.

-- Publishes so many, a thousand in a transaction, with keys of the kind: none, one (the same for all), each (its own).
CREATE PROCEDURE stock(channel text, count integer, prio integer DEFAULT 0, keys text DEFAULT 'none') LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. count / 1000 LOOP
    PERFORM pgpubsub.publish_batch(channel, array_fill('{"op": "insert", "path": "some payload of an ordinary length"}'::jsonb, ARRAY[1000]), priority => prio,
      keys => CASE keys WHEN 'one' THEN array_fill('k'::text, ARRAY[1000])
                        WHEN 'each' THEN (SELECT array_agg(i || '/' || j) FROM generate_series(1, 1000) j) END);
    COMMIT;
  END LOOP;
END $$;

-- Takes so many, a hundred in a transaction.
CREATE PROCEDURE drain(channel text, count integer, filter jsonb DEFAULT NULL, subscription text DEFAULT 'default') LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. count / 100 LOOP PERFORM pgpubsub.take(channel, 100, subscription, filter); COMMIT; END LOOP;
END $$;

-- Claims and acks so many, a hundred in a transaction.
CREATE PROCEDURE work_off(channel text, count integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. count / 100 LOOP
    PERFORM pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim(channel, 100);
    COMMIT;
  END LOOP;
END $$;

-- Gives the first so many these values, and removes them: so the indexes have what that many publish() and take(), or claim() and ack(), leave
-- behind, without so many statements.
CREATE PROCEDURE leave_behind(channel text, count integer, changes text) LANGUAGE plpgsql AS $$
DECLARE
  of_channel CONSTANT integer := (SELECT s.id FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id WHERE c.name = channel);
  up_to CONSTANT bigint := (SELECT min(id) + count FROM pgpubsub.notification WHERE subscription_id = of_channel AND due_at IS NULL);
BEGIN
  EXECUTE format('UPDATE pgpubsub.notification SET %s WHERE subscription_id = $1 AND id < $2', changes) USING of_channel, up_to;
  COMMIT;
  DELETE FROM pgpubsub.notification WHERE subscription_id = of_channel AND id < up_to;
END $$;

-- The median time in milliseconds of 200 times these statements, with the commit of each; of fewer where 3 seconds are over.
CREATE PROCEDURE cost(statements text[], INOUT ms numeric DEFAULT NULL, commits boolean DEFAULT true) LANGUAGE plpgsql AS $$
DECLARE
  begun timestamptz;
  until CONSTANT timestamptz := clock_timestamp() + interval '3 seconds';
  statement text;
  took float8[] := '{}';
BEGIN
  FOR i IN 1 .. 200 LOOP
    begun := clock_timestamp();
    FOREACH statement IN ARRAY statements LOOP
      EXECUTE statement;
      IF commits THEN COMMIT; END IF;
    END LOOP;
    took := took || 1000 * extract(epoch FROM clock_timestamp() - begun)::float8;
    EXIT WHEN clock_timestamp() > until;
  END LOOP;
  ms := (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 4) FROM unnest(took) t);
END $$;

-- Publishes to another channel until there is a row in the table "stop", and notes each, with its commit.
SELECT pgpubsub.create_channel('elsewhere');
CREATE TABLE stop ();
CREATE TABLE published_elsewhere (begun timestamptz, done timestamptz);
CREATE PROCEDURE publish_elsewhere() LANGUAGE plpgsql AS $$
DECLARE
  begun timestamptz[] := '{}';
  done timestamptz[] := '{}';
BEGIN
  WHILE NOT EXISTS (SELECT FROM stop) LOOP
    begun := begun || clock_timestamp();
    PERFORM pgpubsub.publish('elsewhere', '1');
    COMMIT;
    done := done || clock_timestamp();
  END LOOP;
  INSERT INTO published_elsewhere SELECT * FROM unnest(begun, done);
END $$;
