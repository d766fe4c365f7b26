-- The statements of the version that is running when this one is deployed, each ended by a semicolon at the end of a line: they must work on the new schema
-- as well. At each release they are taken from its sources anew, with lists as (1) and limits as 10, and the line below says what its schema was.
-- Schema: 0009_inventory_drift.sql

-- Auditing/Audit.cs
SELECT COUNT(*) FROM coupon c JOIN (SELECT coupon_id, COUNT(*) AS issued FROM coupon_issue GROUP BY coupon_id) i ON i.coupon_id = c.id
WHERE i.issued > c.total_quantity OR i.issued <> c.issued_quantity;
SELECT COUNT(*) FROM (SELECT 1 FROM coupon_issue GROUP BY coupon_id, user_id HAVING COUNT(*) > 1) twice;
SELECT COUNT(*) FROM coupon_issue_failure;
SELECT (SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(delta) AS pieces FROM product_stock_audit GROUP BY product_id) a ON a.product_id = p.id
        WHERE p.stock < 0 OR p.stock <> COALESCE(a.pieces, 0))
     + (SELECT COUNT(*) FROM orders o JOIN order_item i ON i.order_id = o.id
        LEFT JOIN product_stock_audit t ON t.event_id = CONCAT('placed:', o.id) AND t.product_id = i.product_id
        LEFT JOIN product_stock_audit r ON r.event_id = CONCAT('refunded:', o.id) AND r.product_id = i.product_id
        WHERE COALESCE(t.delta, 0) <> IF(o.status = 'PAID' AND NOT o.holding, -i.quantity, COALESCE(-r.delta, 0)));
SELECT (SELECT COUNT(*) FROM event WHERE opened_at < opens_at OR (opened_at IS NULL) <> (opening_seq IS NULL)
          OR (status = 'OPEN' AND opened_at IS NULL) OR (status IN ('DRAFT', 'PENDING') AND opened_at IS NOT NULL)
          OR (status = 'CLOSED' AND opened_at IS NULL AND (closes_at IS NULL OR closed_at < closes_at)))
     + (SELECT COUNT(*) FROM event e WHERE opened_at > UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE
        AND (SELECT COUNT(*) FROM outbox o WHERE o.message_key = 'events' AND o.message_id = CONCAT('event-open:', e.id)) <> 1)
     + (SELECT ABS(last - (SELECT COUNT(opening_seq) FROM event)) FROM event_opening);
SELECT (SELECT COUNT(*) FROM coupon_issue i LEFT JOIN orders o ON o.id = i.order_id
        WHERE (i.order_id IS NOT NULL OR i.used_at IS NOT NULL)
          AND (o.id IS NULL OR o.user_id <> i.user_id OR NOT o.coupon_id <=> i.coupon_id OR o.status IN ('CANCELLED', 'EXPIRED')
            OR (i.used_at IS NOT NULL) <> (o.status IN ('PAID', 'REFUNDING', 'REFUNDED'))))
     + (SELECT COUNT(*) FROM orders o LEFT JOIN coupon_issue i ON i.coupon_id = o.coupon_id AND i.user_id = o.user_id
        WHERE o.coupon_id IS NOT NULL AND o.status NOT IN ('CANCELLED', 'EXPIRED') AND NOT i.order_id <=> o.id);
SELECT COUNT(*) FROM orders WHERE status = 'REFUNDING' OR (status = 'PAID' AND holding);

-- Coupons/CouponAdministration.cs
INSERT INTO coupon (name, discount, total_quantity, starts_at, ends_at)
VALUES (@Name, @Discount, @TotalQuantity, @StartsAt, @EndsAt);
SELECT LAST_INSERT_ID();
UPDATE coupon SET name = @Name, discount = @Discount, total_quantity = @TotalQuantity, starts_at = @StartsAt, ends_at = @EndsAt,
                  version = version + 1
WHERE id = @id AND total_quantity <= @TotalQuantity;
UPDATE coupon SET total_quantity = total_quantity + @delta, version = version + 1 WHERE id = @id AND total_quantity <= @most - @delta;
UPDATE coupon SET status = 'CANCELLED', version = version + 1 WHERE id = @id;

-- Coupons/CouponLedger.cs
SELECT id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch FROM coupon WHERE id = @id;
SELECT id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch FROM coupon WHERE @before IS NULL OR id < @before ORDER BY id DESC LIMIT 200;
SELECT id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch FROM coupon WHERE status IN ('ACTIVE', 'WAITING') ORDER BY ends_at > UTC_TIMESTAMP(6) DESC, id DESC LIMIT 200;
SELECT id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch FROM coupon WHERE ends_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND;
SELECT coupon_id AS CouponId, 'ISSUED' AS Status, issued_at AS IssuedAt FROM coupon_issue WHERE coupon_id = @couponId AND user_id = @userId
UNION ALL
SELECT coupon_id, 'FAILED', accepted_at FROM coupon_issue_failure WHERE coupon_id = @couponId AND user_id = @userId
LIMIT 1;
SELECT i.coupon_id AS CouponId, c.name AS Name, c.discount AS Discount, 'ISSUED' AS Status, i.issued_at AS IssuedAt, c.ends_at AS EndsAt,
       i.order_id AS OrderId, i.used_at AS UsedAt
FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id
WHERE i.user_id = @userId ORDER BY i.issued_at DESC LIMIT 200;
SELECT id AS Id, total_quantity - issued_quantity AS Room, gate_epoch AS GateEpoch,
       (SELECT COUNT(*) FROM coupon_issue_failure f WHERE f.coupon_id = coupon.id) AS Failures
FROM coupon WHERE id IN (1) ORDER BY id FOR UPDATE OF coupon;
INSERT IGNORE INTO coupon_issue (coupon_id, user_id, issued_at)
SELECT @couponId, r.user_id, TIMESTAMPADD(MICROSECOND, r.accepted_at * 1000, '1970-01-01')
FROM JSON_TABLE(@rows, '$[*]' COLUMNS (user_id VARCHAR(64) PATH '$[0]', accepted_at BIGINT PATH '$[1]')) r;
UPDATE coupon SET issued_quantity = issued_quantity + @added WHERE id = @couponId;
DELETE f FROM coupon_issue_failure f JOIN coupon_issue i ON i.coupon_id = f.coupon_id AND i.user_id = f.user_id
WHERE f.coupon_id = @couponId;
INSERT IGNORE INTO coupon_issue_failure (coupon_id, user_id, reason, accepted_at)
VALUES (@CouponId, @UserId, @reason, TIMESTAMPADD(MICROSECOND, @AcceptedAt * 1000, '1970-01-01'));
INSERT IGNORE INTO coupon_fence (coupon_id, epoch, `partition`) VALUES (@CouponId, @Epoch, @partition);
SELECT user_id FROM coupon_issue WHERE coupon_id = @Id AND user_id IN (1);
SELECT `partition`, MAX(epoch) FROM coupon_fence WHERE coupon_id = @Id GROUP BY `partition`;
SELECT user_id FROM coupon_issue_failure WHERE coupon_id = @Id AND reason = 'DEAD_LETTERED';
UPDATE coupon SET gate_epoch = gate_epoch + 1, gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
WHERE id = @couponId AND gate_epoch = @seenEpoch AND (gate_lease_until IS NULL OR gate_lease_until < UTC_TIMESTAMP(6));
UPDATE coupon SET gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND WHERE id = @couponId AND gate_epoch = @epoch;
UPDATE coupon SET gate_lease_until = NULL WHERE id = @couponId AND gate_epoch = @epoch;
SELECT COUNT(*) FROM coupon_fence WHERE coupon_id = @couponId AND epoch = @epoch;
(SELECT user_id, issued_at FROM coupon_issue WHERE coupon_id = @couponId AND user_id > @after ORDER BY user_id LIMIT 10)
UNION ALL
(SELECT user_id, accepted_at FROM coupon_issue_failure f WHERE coupon_id = @couponId AND user_id > @after AND reason = 'DEAD_LETTERED'
   AND NOT EXISTS (SELECT 1 FROM coupon_issue i WHERE i.coupon_id = f.coupon_id AND i.user_id = f.user_id) ORDER BY user_id LIMIT 10)
ORDER BY user_id LIMIT 10;
INSERT IGNORE INTO coupon_issue_failure (coupon_id, user_id, reason, accepted_at)
SELECT @CouponId, @UserId, 'DEAD_LETTERED', TIMESTAMPADD(MICROSECOND, @AcceptedAt * 1000, '1970-01-01') FROM DUAL
WHERE NOT EXISTS (SELECT 1 FROM coupon_issue WHERE coupon_id = @CouponId AND user_id = @UserId);

-- Events/EventLedger.cs
SELECT id AS Id, name AS Name, opens_at AS OpensAt, closes_at AS ClosesAt, status AS Status, opened_at AS OpenedAt, closed_at AS ClosedAt,
       (SELECT GROUP_CONCAT(coupon_id ORDER BY coupon_id) FROM event_coupon c WHERE c.event_id = e.id) AS CouponIds,
       (SELECT GROUP_CONCAT(product_id ORDER BY product_id) FROM event_product p WHERE p.event_id = e.id) AS ProductIds
FROM event e;
SELECT id AS Id, (status = 'PENDING' AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))) AS Opens, version AS Version,
       TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), IF((status = 'PENDING' AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))), opens_at, closes_at)) AS Micros
FROM event;
SELECT id AS EventId, name AS Name, opened_at AS OpenedAt, opening_seq AS Seq, TIMESTAMPDIFF(MICROSECOND, opens_at, opened_at) AS LateMicros
FROM event;
INSERT INTO event (name, opens_at, closes_at, status) VALUES (@Name, @opensAt, @closesAt, @status);
SELECT LAST_INSERT_ID();
UPDATE event SET name = @Name, opens_at = @opensAt, closes_at = @closesAt, status = @status, version = version + 1
WHERE id = @id AND status IN ('DRAFT', 'PENDING');
UPDATE event SET opens_at = @opensAt, closes_at = COALESCE(@closesAt, closes_at), status = 'PENDING', version = version + 1
WHERE id = @id AND status IN ('DRAFT', 'PENDING') AND (COALESCE(@closesAt, closes_at) > @opensAt OR COALESCE(@closesAt, closes_at) IS NULL);
UPDATE event SET status = 'CANCELLED', version = version + 1 WHERE id = @id AND status IN ('DRAFT', 'PENDING', 'OPEN');
SELECT id FROM event WHERE id IN (1) AND status IN ('DRAFT', 'PENDING') AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))
ORDER BY id FOR UPDATE;
SELECT id FROM event WHERE id IN (1) AND (status = 'PENDING' AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))) AND opens_at <= UTC_TIMESTAMP(6) ORDER BY id FOR UPDATE;
UPDATE event SET opens_at = IF(@forced, UTC_TIMESTAMP(6), opens_at), opened_at = UTC_TIMESTAMP(6), opened_by = @by, status = 'OPEN',
                 version = version + 1
WHERE id IN (1) AND status IN ('DRAFT', 'PENDING');
UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id JOIN event e ON e.id = l.event_id
SET c.status = 'ACTIVE', c.starts_at = LEAST(c.starts_at, e.opened_at - INTERVAL 1 MINUTE), c.version = c.version + 1
WHERE l.event_id IN (1) AND c.status = 'WAITING';
UPDATE event_opening SET last = last + @Count;
UPDATE event e JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY opens_at, id) AS place FROM event WHERE id IN (1)) o ON o.id = e.id
SET e.opening_seq = (SELECT last FROM event_opening) - @Count + o.place;
SELECT id FROM event WHERE id IN (1) AND status IN ('OPEN', 'PENDING') AND closes_at <= UTC_TIMESTAMP(6) ORDER BY id FOR UPDATE;
UPDATE event SET status = 'CLOSED', closed_at = UTC_TIMESTAMP(6), version = version + 1 WHERE id IN (1);
SELECT id, version FROM event WHERE id IN (1);
SELECT id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch FROM coupon WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id IN (1));
SELECT COALESCE(MAX(opening_seq), 0) FROM event;
UPDATE coupon SET status = 'ACTIVE', version = version + 1
WHERE status = 'WAITING' AND id NOT IN (1) AND id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id);
DELETE FROM event_coupon WHERE event_id = @id AND coupon_id NOT IN (1);
DELETE FROM event_product WHERE event_id = @id;
INSERT IGNORE INTO event_coupon (coupon_id, event_id) SELECT id, @id FROM coupon WHERE id IN (1) AND status = 'ACTIVE';
UPDATE coupon SET status = 'WAITING', version = version + 1 WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id) AND status = 'ACTIVE';
INSERT INTO event_product (event_id, product_id) SELECT @id, id FROM product WHERE id IN (1);
SELECT coupon_id FROM event_coupon WHERE event_id = @id;
SELECT coupon_id FROM event_coupon WHERE coupon_id IN (1);
SELECT product_id FROM event_product WHERE event_id = @id;
UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id SET c.status = 'CLOSED', c.version = c.version + 1
WHERE l.event_id IN (1) AND c.status IN ('ACTIVE', 'WAITING');

-- Idempotency/IdempotencyStore.cs
UPDATE idempotency_key
SET status = @Status, content_type = @ContentType, location = @Location, answer = @Body, claim = NULL, lease_until = NULL
WHERE scope = @scope AND claim = @claim;
SELECT body_hash AS BodyHash, status AS Status, content_type AS ContentType, location AS Location, answer AS Answer
FROM idempotency_key WHERE scope = @scope FOR SHARE;
INSERT INTO idempotency_key (scope, body_hash, claim, lease_until)
VALUES (@scope, @bodyHash, @claim, UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND) AS mine
ON DUPLICATE KEY UPDATE
  claim = IF(idempotency_key.body_hash = mine.body_hash AND status IS NULL AND idempotency_key.lease_until <= UTC_TIMESTAMP(6),
    mine.claim, idempotency_key.claim),
  lease_until = IF(idempotency_key.claim = mine.claim, mine.lease_until, idempotency_key.lease_until);
SELECT 1 FROM idempotency_key WHERE scope = @scope AND claim = @claim;
DELETE FROM idempotency_key WHERE scope = @scope AND claim = @claim;
INSERT INTO idempotency_key (scope, body_hash, status, content_type, location, answer)
VALUES (@scope, @bodyHash, @Status, @ContentType, @Location, @Body);
DELETE FROM idempotency_key WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND LIMIT 10;

-- Inventory/InventoryLedger.cs
SELECT epoch FROM inventory_gate WHERE id = 1 FOR SHARE;
SELECT epoch FROM inventory_gate WHERE id = 1;
SELECT g.epoch, p.stock FROM inventory_gate g JOIN product p ON p.id = @productId WHERE g.id = 1;
UPDATE inventory_gate SET epoch = epoch + 1, lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
WHERE id = 1 AND epoch = @seenEpoch AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(6));
SELECT id AS ProductId, CAST(stock AS SIGNED) AS Pieces, NULL AS OrderId, NULL AS Deadline FROM product
UNION ALL
SELECT i.product_id, i.quantity, o.id, o.hold_expires_at FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.holding = TRUE;
UPDATE inventory_gate SET lease_until = NULL WHERE id = 1 AND epoch = @epoch;
SELECT id, holding FROM orders WHERE id IN (1) AND status = 'PAID' ORDER BY id FOR UPDATE;
SELECT product_id AS ProductId, CAST(SUM(quantity) AS SIGNED) AS Pieces FROM order_item WHERE order_id IN (1)
GROUP BY product_id ORDER BY product_id;
UPDATE product SET stock = stock - @pieces WHERE id = @productId AND stock >= @pieces;
INSERT INTO product_stock_audit (product_id, event_id, delta, reason)
SELECT product_id, CONCAT('placed:', order_id), -quantity, 'ORDER_PLACED' FROM order_item WHERE order_id IN (1);
UPDATE orders SET holding = FALSE WHERE id IN (1);
UPDATE orders SET status = 'REFUNDING', holding = FALSE WHERE id = @orderId AND holding AND status = 'PAID';
INSERT IGNORE INTO inbox (consumer, message_id) SELECT @Consumer, CONCAT('placed:', id) FROM orders WHERE id IN (1);
SELECT status AS Status, holding AS Holding FROM orders WHERE id = @orderId FOR UPDATE;
UPDATE orders SET status = 'REFUNDED', holding = FALSE WHERE id = @orderId;
SELECT product_id AS ProductId, quantity AS Quantity FROM order_item WHERE order_id = @orderId ORDER BY product_id;
UPDATE product SET stock = stock + @quantity WHERE id = @productId;
INSERT INTO product_stock_audit (product_id, event_id, delta, reason)
SELECT product_id, CONCAT('refunded:', order_id), quantity, 'REFUNDED' FROM order_item WHERE order_id = @orderId;

-- Inventory/InventoryReconciler.cs
SELECT p.id, p.stock, CAST(COALESCE(h.held, 0) AS SIGNED) FROM product p LEFT JOIN (
  SELECT i.product_id, SUM(i.quantity) AS held FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.holding GROUP BY i.product_id
) h ON h.product_id = p.id;

-- Inventory/ProductAdministration.cs
SELECT id AS Id, name AS Name, price AS Price, stock AS Stock, on_sale AS OnSale FROM product WHERE on_sale ORDER BY id DESC LIMIT 200;
SELECT id AS Id, name AS Name, price AS Price, stock AS Stock, on_sale AS OnSale FROM product WHERE @before IS NULL OR id < @before ORDER BY id DESC LIMIT 200;
SELECT id AS Id, name AS Name, price AS Price, stock AS Stock, on_sale AS OnSale FROM product WHERE id = @id;
SELECT id AS Id, event_id AS EventId, delta AS Delta, reason AS Reason, created_at AS CreatedAt FROM product_stock_audit
WHERE product_id = @productId AND (@before IS NULL OR id < @before) ORDER BY id DESC LIMIT 10;
INSERT INTO product (name, price, stock, on_sale) VALUES (@Name, @Price, @Stock, @OnSale);
SELECT LAST_INSERT_ID();
INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@created, 'opening', @Stock, 'OPENING');
UPDATE product SET name = @Name, price = @Price, on_sale = @OnSale WHERE id = @id;
UPDATE product SET stock = stock + @delta WHERE id = @id AND stock + @delta >= 0;
INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@id, @eventId, @delta, @text);

-- Messaging/DeadLetterStore.cs
SELECT id AS Id, topic AS Topic, `partition` AS `Partition`, `offset` AS `Offset`, CONVERT(message_key USING utf8mb4) AS `Key`,
       LEFT(CONVERT(message USING utf8mb4), 2000) AS Message, reason AS Reason, detail AS Detail, failed_at AS FailedAt, replayed_at AS ReplayedAt
FROM dead_letter WHERE @before IS NULL OR id < @before ORDER BY id DESC LIMIT 10;
SELECT topic AS Topic, message_key AS MessageKey, message AS Message FROM dead_letter WHERE id = @id;
UPDATE dead_letter SET replayed_at = UTC_TIMESTAMP(6) WHERE id = @id;
INSERT IGNORE INTO dead_letter (topic, `partition`, `offset`, message_key, message, reason, detail, failed_at)
VALUES (@Topic, @Partition, @Offset, @Key, @Value, @Reason, @Detail, @FailedAt);

-- Orders/OrderLedger.cs
SELECT id AS Id, user_id AS UserId, status AS Status, total_amount AS TotalAmount, discount AS Discount, coupon_id AS CouponId,
hold_expires_at AS HoldExpiresAt, created_at AS CreatedAt, paid_at AS PaidAt
FROM orders WHERE id = @orderId AND user_id = COALESCE(@userId, user_id);
SELECT product_id AS ProductId, quantity AS Quantity, price AS Price FROM order_item WHERE order_id = @orderId ORDER BY product_id;
SELECT recipient AS Recipient, phone AS Phone, zipcode AS Zipcode, address1 AS Address1, address2 AS Address2
FROM shipping_info WHERE order_id = @orderId;
SELECT id AS Id, user_id AS UserId, status AS Status, total_amount AS TotalAmount, discount AS Discount, coupon_id AS CouponId,
hold_expires_at AS HoldExpiresAt, created_at AS CreatedAt, paid_at AS PaidAt
FROM orders
WHERE TRUE AND user_id = @userId AND status = @status AND id < @before
ORDER BY id DESC LIMIT 10;
UPDATE orders
SET status = 'PENDING_PAYMENT',
    hold_expires_at = IF(extended, hold_expires_at, GREATEST(hold_expires_at, UTC_TIMESTAMP(6) + INTERVAL @extension MICROSECOND)),
    extended = TRUE
WHERE id = @orderId AND user_id = @userId AND total_amount = @amount AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
  AND hold_expires_at > UTC_TIMESTAMP(6);
UPDATE orders SET pinned = TRUE WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND NOT pinned AND hold_expires_at > UTC_TIMESTAMP(6);
UPDATE orders SET pinned = FALSE WHERE id = @OrderId AND status = 'PENDING_PAYMENT';
UPDATE orders SET status = 'PAID', pinned = FALSE, paid_at = UTC_TIMESTAMP(6) WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND pinned;
SELECT o.user_id AS UserId, o.total_amount AS TotalAmount, i.product_id AS ProductId, i.quantity AS Quantity
FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.id = @orderId ORDER BY i.product_id;
UPDATE coupon_issue i JOIN orders o ON o.coupon_id = i.coupon_id AND o.user_id = i.user_id AND o.id = i.order_id
SET i.used_at = UTC_TIMESTAMP(6) WHERE o.id = @orderId AND i.used_at IS NULL;
UPDATE orders SET status = 'CANCELLED', holding = FALSE
WHERE id = @orderId AND user_id = @userId AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned;
SELECT 1 FROM orders WHERE holding = TRUE AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned AND hold_expires_at <= UTC_TIMESTAMP(6) LIMIT 1;
SELECT id FROM orders WHERE holding = TRUE AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned AND hold_expires_at <= UTC_TIMESTAMP(6) LIMIT 10 FOR UPDATE SKIP LOCKED;
UPDATE orders SET status = 'EXPIRED', holding = FALSE WHERE id IN (1);
SELECT id, status, holding FROM orders WHERE id IN (1);
UPDATE coupon_issue i JOIN orders o ON o.coupon_id = i.coupon_id AND o.user_id = i.user_id AND o.id = i.order_id
SET i.order_id = NULL WHERE o.id IN (1) AND i.used_at IS NULL;

-- Orders/OrderReconciler.cs
SELECT id FROM orders o
WHERE holding = TRUE AND status = 'PAID' AND paid_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AND NOT EXISTS (
  SELECT 1 FROM outbox m LEFT JOIN outbox_waiting w ON w.shard = m.shard AND w.id = m.id
  LEFT JOIN outbox_refused r ON r.id = m.id AND r.next_attempt_at IS NOT NULL
  WHERE m.message_key = o.id AND (w.id IS NOT NULL OR r.id IS NOT NULL OR m.created_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND))
LIMIT 10 FOR UPDATE SKIP LOCKED;

-- Orders/OrderService.cs
SELECT id AS Id, price AS Price, UTC_TIMESTAMP(6) AS Now FROM product WHERE id IN (1) AND on_sale;
SELECT status FROM orders WHERE id = @orderId AND user_id = @userId;
SELECT c.discount FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id
WHERE i.coupon_id = @couponId AND i.user_id = @userId AND i.order_id IS NULL;
UPDATE coupon_issue SET order_id = @OrderId WHERE coupon_id = @couponId AND user_id = @userId AND order_id IS NULL;
SELECT 1 FROM orders WHERE id = @orderId FOR UPDATE;

-- Outbox/OutboxStore.cs
SELECT (SELECT COUNT(*) FROM outbox_waiting) + (SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NOT NULL);
SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NULL;
SELECT CAST(s.shard AS SIGNED) FROM outbox_shard s
WHERE s.lease_until <= UTC_TIMESTAMP(6) AND (
  (SELECT 1 FROM outbox_waiting w WHERE w.shard = s.shard LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM outbox_refused r WHERE r.shard = s.shard AND r.next_attempt_at <= UTC_TIMESTAMP(6) LIMIT 1) IS NOT NULL);
SELECT CAST(shard AS SIGNED) FROM outbox_shard WHERE shard IN (1) AND lease_until <= UTC_TIMESTAMP(6)
ORDER BY lease_until LIMIT 10 FOR UPDATE SKIP LOCKED;
UPDATE outbox_shard SET token = @token, lease_until = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE shard IN (1);
SELECT r.id AS Id, o.message_key AS `Key`, r.attempts AS Attempts, CAST(r.next_attempt_at <= UTC_TIMESTAMP(6) AS SIGNED) AS Due
FROM outbox_refused r JOIN outbox o ON o.id = r.id WHERE r.shard IN (1) AND r.next_attempt_at IS NOT NULL ORDER BY r.id;
SELECT CAST(shard AS SIGNED) FROM outbox_shard WHERE shard IN (1) AND token = @Token ORDER BY shard FOR UPDATE;
REPLACE INTO outbox_refused (id, shard, attempts, last_error, next_attempt_at)
SELECT r.id, r.shard, r.attempts, r.error, UTC_TIMESTAMP(6) + INTERVAL r.delay MICROSECOND FROM JSON_TABLE(@rows, '$[*]' COLUMNS (
  id BIGINT PATH '$.Id', shard TINYINT PATH '$.Shard', attempts INT PATH '$.Attempts', error VARCHAR(500) PATH '$.Error',
  delay BIGINT PATH '$.Delay')) r;
DELETE w FROM JSON_TABLE(@rows, '$[*]' COLUMNS (id BIGINT PATH '$.Id', shard TINYINT PATH '$.Shard')) r
STRAIGHT_JOIN outbox_waiting w FORCE INDEX (PRIMARY) ON w.shard = r.shard AND w.id = r.id;
UPDATE outbox_shard SET token = NULL, lease_until = IF(shard IN (1), UTC_TIMESTAMP(6), '2000-01-01') WHERE shard IN (1);
SELECT (SELECT (SELECT COUNT(*) FROM outbox_waiting) + (SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NOT NULL)) AS Pending,
       CAST(COALESCE((SELECT TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6)) / 1e6 FROM outbox
                      WHERE id = (SELECT MIN(id) FROM (SELECT id FROM outbox_waiting UNION ALL
                                  SELECT id FROM outbox_refused WHERE next_attempt_at IS NOT NULL) w)), 0) AS DOUBLE) AS OldestAge,
       (SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NULL) AS Dead;
SELECT o.id AS Id, o.topic AS Topic, o.message_key AS `Key`, o.message_id AS MessageId, LEFT(CONVERT(o.payload USING utf8mb4), 2000) AS Payload,
       CASE WHEN w.id IS NOT NULL OR r.next_attempt_at IS NOT NULL THEN 'PENDING' WHEN r.id IS NOT NULL THEN 'DEAD' ELSE 'SENT' END AS Status, COALESCE(r.attempts, 0) AS Attempts, r.last_error AS LastError, o.created_at AS CreatedAt,
       r.next_attempt_at AS NextAttemptAt
FROM outbox o LEFT JOIN outbox_waiting w ON w.shard = o.shard AND w.id = o.id LEFT JOIN outbox_refused r ON r.id = o.id WHERE (@before IS NULL OR o.id < @before) AND (@status IS NULL OR CASE WHEN w.id IS NOT NULL OR r.next_attempt_at IS NOT NULL THEN 'PENDING' WHEN r.id IS NOT NULL THEN 'DEAD' ELSE 'SENT' END = @status) ORDER BY o.id DESC LIMIT 10;
SELECT CAST(shard AS SIGNED) FROM outbox WHERE id = @id FOR UPDATE;
SELECT id FROM outbox_refused WHERE id = @id AND next_attempt_at IS NOT NULL;
DELETE FROM outbox_refused WHERE id = @id;
INSERT IGNORE INTO outbox_waiting (shard, id) VALUES (@shard, @id);
SELECT id AS Id, CAST(created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AS SIGNED) AS Old
FROM outbox WHERE id > @after ORDER BY id LIMIT 10;
SELECT id FROM outbox WHERE id IN (1) ORDER BY id FOR UPDATE;
DELETE o FROM outbox o LEFT JOIN outbox_waiting w ON w.shard = o.shard AND w.id = o.id LEFT JOIN outbox_refused r ON r.id = o.id WHERE o.id IN (1) AND w.id IS NULL AND r.id IS NULL;
DELETE FROM inbox WHERE handled_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY handled_at LIMIT 10;

-- Outbox/OutboxWriter.cs
INSERT INTO outbox (shard, topic, message_key, message_id, payload, traceparent)
VALUES (@shard, @Topic, @Key, @Id, @Payload, @traceparent);
INSERT INTO outbox_waiting (shard, id) VALUES (@shard, LAST_INSERT_ID());

-- Payments/PaymentAudit.cs
SELECT (SELECT COUNT(*) FROM payment WHERE status IN ('APPROVING', 'SETTLING', 'CANCELLING'))
     + (SELECT COUNT(*) FROM payment_attempt WHERE check_at IS NOT NULL AND status = 'CANCELLING')
     + (SELECT COUNT(*) FROM refund WHERE open_payment IS NOT NULL);
SELECT (SELECT COUNT(*) FROM orders o LEFT JOIN payment p ON p.order_id = o.id
        WHERE (o.status IN ('PAID', 'REFUNDING', 'REFUNDED')) <> (COALESCE(p.status, '') IN ('PAID', 'PARTIALLY_REFUNDED', 'REFUNDED'))
           OR (o.status = 'REFUNDED') <> (COALESCE(p.status, '') = 'REFUNDED'))
     + (SELECT COUNT(*) FROM payment p LEFT JOIN orders o ON o.id = p.order_id WHERE o.id IS NULL);
SELECT order_id, IF(status IN ('PAID', 'PARTIALLY_REFUNDED', 'REFUNDED'), amount - refunded_amount, 0) FROM payment;

-- Payments/PaymentLedger.cs
SELECT 1 FROM orders WHERE id = @OrderId FOR UPDATE;
SELECT id AS PaymentId, order_id AS OrderId, user_id AS UserId, amount AS Amount, refunded_amount AS RefundedAmount, status AS Status,
pg_payment_id AS PgPaymentId, created_at AS CreatedAt, paid_at AS PaidAt FROM payment WHERE order_id = @orderId;
SELECT number AS Number, pg_payment_id AS PgPaymentId, status AS Status, code AS Code, message AS Message, started_at AS StartedAt,
       ended_at AS EndedAt
FROM payment_attempt WHERE payment_id = @paymentId ORDER BY number;
SELECT id AS RefundId, amount AS Amount, reason AS Reason, status AS Status, code AS Code, created_at AS CreatedAt, ended_at AS EndedAt
FROM refund WHERE payment_id = @paymentId ORDER BY id;
SELECT id AS PaymentId, order_id AS OrderId, user_id AS UserId, amount AS Amount, refunded_amount AS RefundedAmount, status AS Status,
pg_payment_id AS PgPaymentId, created_at AS CreatedAt, paid_at AS PaidAt FROM payment
WHERE TRUE AND status = @status AND order_id = @orderId
  AND user_id = @userId AND id < @before
ORDER BY id DESC LIMIT 10;
SELECT COUNT(*) OVER () AS Count, order_id AS OrderId, TIMESTAMPDIFF(SECOND, since, UTC_TIMESTAMP(6)) AS Seconds FROM (
  SELECT p.order_id, a.started_at AS since FROM payment_attempt a JOIN payment p ON p.id = a.payment_id
  WHERE a.check_at IS NOT NULL AND a.status IN ('INFLIGHT', 'CANCELLING')
  UNION ALL SELECT p.order_id, r.created_at FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.open_payment IS NOT NULL
) waiting
WHERE since < UTC_TIMESTAMP(6) - INTERVAL @microseconds MICROSECOND ORDER BY since LIMIT 1;
UPDATE orders SET pinned = TRUE WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND NOT pinned AND hold_expires_at > UTC_TIMESTAMP(6);
UPDATE payment SET status = 'APPROVING', pg_payment_id = @pgPaymentId, attempt = attempt + 1
WHERE order_id = @OrderId AND user_id = @userId AND status = 'PENDING';
INSERT IGNORE INTO pg_payment (pg_payment_id, payment_id) SELECT pg_payment_id, id FROM payment WHERE order_id = @orderId;
INSERT INTO payment_attempt (payment_id, number, pg_payment_id, status, check_at)
SELECT id, attempt, pg_payment_id, 'INFLIGHT', UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND FROM payment WHERE order_id = @orderId;
SELECT a.payment_id AS PaymentId, a.number AS Number, a.pg_payment_id AS PgPaymentId, a.status AS Status, p.order_id AS OrderId, p.amount AS Amount,
a.checks AS Checks, TIMESTAMPDIFF(SECOND, a.started_at, UTC_TIMESTAMP(6)) AS AgeSeconds FROM payment p JOIN payment_attempt a ON a.payment_id = p.id AND a.number = p.attempt
JOIN pg_payment g ON g.pg_payment_id = p.pg_payment_id AND g.payment_id = p.id
WHERE p.order_id = @orderId AND NOT EXISTS (
  SELECT 1 FROM payment_attempt b WHERE b.payment_id = p.id AND b.pg_payment_id = p.pg_payment_id AND b.status IN ('CANCELLING', 'CANCELLED'));
UPDATE payment SET status = 'SETTLING', pg_payment_id = @PgPaymentId WHERE id = @PaymentId AND status = 'PENDING';
UPDATE orders SET status = 'PAID', pinned = FALSE, paid_at = UTC_TIMESTAMP(6) WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND pinned;
UPDATE payment_attempt SET status = 'SUCCEEDED', ended_at = UTC_TIMESTAMP(6), check_at = NULL
WHERE payment_id = @PaymentId AND number = @Number AND status = @Status;
UPDATE payment SET status = 'PAID', paid_at = UTC_TIMESTAMP(6)
WHERE id = @PaymentId AND pg_payment_id = @PgPaymentId AND status IN ('APPROVING', 'SETTLING');
SELECT 1 FROM payment WHERE id = @PaymentId AND pg_payment_id = @PgPaymentId;
UPDATE payment_attempt SET status = 'CANCELLING', code = @code, check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
WHERE payment_id = @PaymentId AND number = @Number AND status = @Status;
UPDATE payment SET status = 'CANCELLING' WHERE id = @PaymentId AND attempt = @Number AND status IN ('APPROVING', 'SETTLING');
UPDATE payment_attempt
SET status = @status, code = COALESCE(@code, code), message = LEFT(@message, 500), ended_at = UTC_TIMESTAMP(6), checks = 0,
    check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
WHERE payment_id = @PaymentId AND number = @Number AND status = @before;
UPDATE payment SET status = 'PENDING', pg_payment_id = NULL
WHERE id = @PaymentId AND attempt = @Number AND status IN ('APPROVING', 'SETTLING', 'CANCELLING');
UPDATE orders SET pinned = FALSE WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND (SELECT status FROM payment WHERE id = @PaymentId) = 'PENDING';
DELETE FROM pg_payment WHERE @refused AND pg_payment_id = @PgPaymentId AND payment_id = @PaymentId AND NOT EXISTS (
  SELECT 1 FROM payment_attempt a WHERE a.payment_id = @PaymentId AND a.pg_payment_id = @PgPaymentId AND a.status <> 'REFUSED');
UPDATE payment SET status = 'SETTLING' WHERE id = @PaymentId AND attempt = @Number AND status = 'APPROVING';
UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
WHERE payment_id = @PaymentId AND number = @Number AND status = @Status;
UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6), checks = 0 WHERE payment_id = @PaymentId AND number = @Number AND status = 'ABANDONED';
UPDATE payment_attempt SET check_at = NULL WHERE payment_id = @PaymentId AND number = @Number AND status = 'ABANDONED';
SELECT 1 FROM payment_attempt WHERE check_at <= UTC_TIMESTAMP(6) LIMIT 1;
SELECT a.payment_id AS PaymentId, a.number AS Number, a.pg_payment_id AS PgPaymentId, a.status AS Status, p.order_id AS OrderId, p.amount AS Amount,
a.checks AS Checks, TIMESTAMPDIFF(SECOND, a.started_at, UTC_TIMESTAMP(6)) AS AgeSeconds FROM payment_attempt a JOIN payment p ON p.id = a.payment_id WHERE a.check_at <= UTC_TIMESTAMP(6) ORDER BY a.check_at LIMIT 10
FOR UPDATE OF a SKIP LOCKED;
UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND, checks = checks + 1
WHERE payment_id = @PaymentId AND number = @Number;
SELECT id AS PaymentId, order_id AS OrderId, user_id AS UserId, amount AS Amount, refunded_amount AS RefundedAmount, status AS Status,
pg_payment_id AS PgPaymentId, created_at AS CreatedAt, paid_at AS PaidAt FROM payment WHERE order_id = @orderId FOR UPDATE;
SELECT r.id AS Id, p.id AS PaymentId, p.order_id AS OrderId, p.pg_payment_id AS PgPaymentId, r.amount AS Amount, r.expected_rest AS ExpectedRest,
r.reason AS Reason, r.status AS Status, r.code AS Code, p.amount AS PaidAmount, r.checks AS Checks FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.request = @request;
SELECT 1 FROM refund WHERE open_payment = @PaymentId;
INSERT INTO refund (id, payment_id, request, amount, expected_rest, reason, requested_by, status, check_at)
VALUES (@id, @PaymentId, @request, @back, @expectedRest, @reason, @requestedBy, 'REQUESTED', UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND);
UPDATE refund SET status = 'DONE', code = NULL, ended_at = UTC_TIMESTAMP(6), check_at = NULL WHERE id = @Id AND status = 'REQUESTED';
UPDATE payment SET status = IF(@ExpectedRest = 0, 'REFUNDED', 'PARTIALLY_REFUNDED'), refunded_amount = amount - @ExpectedRest WHERE id = @PaymentId;
UPDATE refund SET status = 'REFUSED', code = @code, ended_at = UTC_TIMESTAMP(6), check_at = NULL WHERE id = @Id AND status = 'REQUESTED';
UPDATE refund SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE id = @Id AND status = 'REQUESTED';
SELECT 1 FROM refund WHERE check_at <= UTC_TIMESTAMP(6) LIMIT 1;
SELECT r.id AS Id, p.id AS PaymentId, p.order_id AS OrderId, p.pg_payment_id AS PgPaymentId, r.amount AS Amount, r.expected_rest AS ExpectedRest,
r.reason AS Reason, r.status AS Status, r.code AS Code, p.amount AS PaidAmount, r.checks AS Checks FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.check_at <= UTC_TIMESTAMP(6) ORDER BY r.check_at LIMIT 10
FOR UPDATE OF r SKIP LOCKED;
UPDATE refund SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND, checks = checks + 1 WHERE id IN (1);
SELECT o.id FROM orders o JOIN payment p ON p.order_id = o.id
WHERE NOT o.holding AND o.status = 'REFUNDING' AND p.status IN ('PAID', 'PARTIALLY_REFUNDED')
  AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.payment_id = p.id AND r.status = 'REQUESTED')
  AND NOT EXISTS (
    SELECT 1 FROM refund r WHERE r.payment_id = p.id AND r.status = 'REFUSED' AND r.requested_by = 'system'
    HAVING MAX(r.ended_at) > UTC_TIMESTAMP(6) - INTERVAL LEAST(@seconds * POW(2, LEAST(COUNT(*) - 1, 20)), 6 * 3600) SECOND)
LIMIT 10;

-- Payments/PaymentService.cs
SELECT o.status AS Status, o.total_amount AS TotalAmount, IF(o.pinned, 1, 0) AS Pinned, IF(o.hold_expires_at > UTC_TIMESTAMP(6), 1, 0) AS Alive,
       p.id AS PaymentId, p.pg_payment_id AS PgPaymentId, p.status AS PaymentStatus
FROM orders o LEFT JOIN payment p ON p.order_id = o.id WHERE o.id = @orderId AND o.user_id = @userId;

-- What is put together of parts
INSERT INTO inventory_drift (product_id, epoch, stock, held, available) VALUES (1, 1, 1, 1, 1);
INSERT INTO orders (id, user_id, status, total_amount, discount, coupon_id, hold_expires_at)
VALUES (@OrderId, @userId, @Status, @TotalAmount, @discount, @CouponId, @HoldExpiresAt);
INSERT INTO shipping_info (order_id, recipient, phone, zipcode, address1, address2) VALUES (@OrderId, @recipient, @phone, @zipcode, @address1, @address2);
INSERT INTO order_item (order_id, product_id, quantity, price) VALUES (@OrderId, 1, 1, 1);
SELECT o.id AS Id, o.topic AS Topic, o.message_key AS `Key`, o.message_id AS MessageId, o.payload AS Payload, o.traceparent AS Traceparent
FROM outbox_waiting w STRAIGHT_JOIN outbox o ON o.id = w.id WHERE w.shard IN (1) AND o.message_key NOT IN (1) ORDER BY w.shard, w.id LIMIT 10;
DELETE /*+ INDEX(outbox_waiting PRIMARY) */ FROM outbox_waiting WHERE shard = 1 AND id IN (-1, 1);
UPDATE orders
SET status = 'PENDING_PAYMENT',
    hold_expires_at = IF(extended, hold_expires_at, GREATEST(hold_expires_at, UTC_TIMESTAMP(6) + INTERVAL @extension MICROSECOND)), extended = TRUE
WHERE id = @orderId AND user_id = @userId AND total_amount = @amount AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
  AND hold_expires_at > UTC_TIMESTAMP(6);
INSERT INTO payment (id, order_id, user_id, amount, status) SELECT @paymentId, id, user_id, total_amount, 'PENDING' FROM orders WHERE id = @orderId
ON DUPLICATE KEY UPDATE payment.id = payment.id;
