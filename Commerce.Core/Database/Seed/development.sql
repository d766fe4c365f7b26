INSERT IGNORE INTO coupon (id, name, discount, total_quantity, starts_at, ends_at, min_order_amount) VALUES
  (1, 'Welcome: 5,000 won off', 5000, 1000, '2026-01-01', '2099-01-01', 10000),
  (2, 'Flash sale: 30,000 won off', 30000, 100, '2026-01-01', '2099-01-01', NULL),
  (3, 'New year: 10,000 won off', 10000, 500, '2098-12-31', '2099-01-01', NULL),
  (4, 'Last season: 1,000 won off', 1000, 500, '2025-01-01', '2025-02-01', NULL);

INSERT IGNORE INTO product (id, name, price, stock) VALUES
  (1, 'Limited sneakers', 199000, 5),
  (2, 'Desk lamp', 45000, 200),
  (3, 'Noise-cancelling headphones', 289000, 20),
  (4, 'Mechanical keyboard', 129000, 50);

INSERT IGNORE INTO member (id, name, role) VALUES
  ('alice', 'Alice', 'MEMBER'), ('bob', 'Bob', 'MEMBER'), ('carol', 'Carol', 'MEMBER'), ('admin', 'Admin', 'ADMIN');

INSERT IGNORE INTO product_stock_audit (product_id, event_id, delta, reason) SELECT id, 'opening', stock, 'OPENING' FROM product WHERE id <= 4;

-- An hour after the first start a sale opens, with a coupon of its own.
INSERT IGNORE INTO coupon (id, name, discount, total_quantity, starts_at, ends_at, status, min_order_amount) VALUES
  (5, 'Midnight: 20,000 won off', 20000, 100, '2026-01-01', '2099-01-01', 'WAITING', NULL);
INSERT IGNORE INTO event (id, name, opens_at, closes_at, status) VALUES
  (1, 'Midnight sale', UTC_TIMESTAMP() + INTERVAL 1 HOUR, UTC_TIMESTAMP() + INTERVAL 1 DAY, 'PENDING');
INSERT IGNORE INTO event_coupon (coupon_id, event_id)
  SELECT c.id, e.id FROM coupon c JOIN event e ON e.id = 1 AND e.name = 'Midnight sale' WHERE c.id = 5 AND c.name = 'Midnight: 20,000 won off';
INSERT IGNORE INTO event_product (event_id, product_id)
  SELECT e.id, p.id FROM event e JOIN product p ON p.id IN (1, 4) WHERE e.id = 1 AND e.name = 'Midnight sale';
