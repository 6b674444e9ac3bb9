"""What catalogue files cannot say of Visma's products: one module a product."""
