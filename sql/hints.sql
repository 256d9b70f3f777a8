-- The hints of a transaction: their memory grows with the channels, and not with the rows or the sub-transactions.
CREATE FUNCTION transaction_memory() RETURNS bigint LANGUAGE sql AS
  -- its children have it as their parent, and since PostgreSQL 18 as the last but one of their path
  $$ WITH contexts AS MATERIALIZED (SELECT name, total_bytes, to_jsonb(c) AS c FROM pg_backend_memory_contexts c)
     SELECT sum(total_bytes) FROM contexts
      WHERE name = 'TopTransactionContext' OR c->>'parent' = 'TopTransactionContext' OR
            c->'path'->-2 = (SELECT c->'path'->-1 FROM contexts WHERE name = 'TopTransactionContext') $$;
SELECT count(pgpubsub.create_channel('hints' || i)) FROM generate_series(1, 20) i;

-- 20 channels in turn
BEGIN;
SELECT count(pgpubsub.publish('hints' || i % 20 + 1, '1')) FROM generate_series(1, 20) i;
SELECT transaction_memory() AS before \gset
SELECT count(pgpubsub.publish('hints' || i % 20 + 1, '1')) FROM generate_series(1, 50000) i;
SELECT transaction_memory() - :before < 100000 AS does_not_grow;
SELECT count(pgpubsub.publish('hints' || i % 20 + 1, '1', deliver_at => now() + interval '1 day')) FROM generate_series(1, 20000) i;
SELECT transaction_memory() - :before < 100000 AS does_not_grow;
COMMIT;

-- sub-transactions, of which each claims and so leaves a hint for the case that it is rolled back
CREATE FUNCTION claim_in_subtransactions(times integer, aborts boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP
    BEGIN
      PERFORM FROM pgpubsub.claim('hints' || i % 20 + 1, lease => '1 hour');
      IF aborts THEN RAISE EXCEPTION 'undone'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
BEGIN;
SELECT claim_in_subtransactions(40, false), claim_in_subtransactions(40, true);
SELECT transaction_memory() AS before \gset
SELECT claim_in_subtransactions(4000, false);
SELECT transaction_memory() - :before < 150000 AS does_not_grow;
SELECT claim_in_subtransactions(4000, true);
SELECT transaction_memory() - :before < 150000 AS does_not_grow;
COMMIT;
SELECT count(pgpubsub.drop_channel('hints' || i)) FROM generate_series(1, 20) i;
DROP FUNCTION claim_in_subtransactions, transaction_memory;
